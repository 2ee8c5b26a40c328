"""The real cache in a world whose time, threads, processes and upstream belong to a test.

`world` owns clock and threads, `upstream` what a fetch brings, `scenario` plays cases written as data, `exploration`
plays random ones from a seed and checks what must always hold, `mutants` breaks the cache to see that they notice.
"""
