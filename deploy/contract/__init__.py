"""The contract between machines and cloud as data, from the topic table and the models: for its document, its
page and its tests. Production does not know it.
"""
