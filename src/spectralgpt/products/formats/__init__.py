"""One format per module or package: its `FORMAT` says what it reads, when it is asked, and how it marks clouds."""
