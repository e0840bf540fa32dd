"""Templates of configurations as 1C keeps them: roots, manifests, the tree, installing packages, building them, making infobases.

A package is a folder (or a zip of it) with a manifest `1cv8.mft` and the files it names. It is data: nothing in it ever runs.
"""
