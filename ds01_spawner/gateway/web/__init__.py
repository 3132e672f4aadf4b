"""The lab's web page: rendered here, from the API's own answers to whoever looks.

`pages` is the table of all pages; each has a module that reads what its sections show, and a folder
of templates. `page` says what a page is, `asking` is the only way to data, `handler` answers
browsers, `static/` is what they fetch: nothing comes from another host.
"""
