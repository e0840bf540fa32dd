"""Loaders of real classifier files: a streaming reader per format, one loader shape for all, the registry of what is loaded.

kind.py         the shape of a kind: title, target, how a file is opened
model.py        what a file holds, as frozen dataclasses
account_key.py  the key of an account (CBR rule 515), also used by the CRM's checks
ed807.py        the Central Bank's bank directory, zip or XML (ed807_entry.py: attributes -> entries)
source.py       opening a zip or XML by content, with limits
banks.py        the bank directory -> Catalog.BankClassifier
loader.py       KINDS and load(): read, compare by code, write the difference in one transaction
sample.py       small valid files in the real formats, for the demo and the tests
"""
