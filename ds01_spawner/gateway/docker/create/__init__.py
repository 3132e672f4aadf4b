"""`POST /containers/create`: from what is asked, through admission, to a container."""
