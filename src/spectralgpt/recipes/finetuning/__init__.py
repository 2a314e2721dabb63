"""Runs on labelled images, which the verb `finetune` starts: a file per recipe, with a function `recipe` of the facts
about the labels."""
