"""Runs on images without labels, which the verb `pretrain` starts: a file per recipe, with a function `recipe`."""
