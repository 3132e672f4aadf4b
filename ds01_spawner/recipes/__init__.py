"""From choices to the text of files: Dockerfiles, projects, settings of editors. Pure."""
