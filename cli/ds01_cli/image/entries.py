"""Commands below `ds01 image`."""

from ds01_cli.frame.table import Group

IMAGE = Group("Make images with the packages you need, and look after them.", {})
