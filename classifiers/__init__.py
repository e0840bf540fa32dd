"""Loaders of real classifier files: one loader shape for all, the registry of what is loaded.

kind.py            the shape of a kind: what people are told, formats, where it goes, how it is written
kinds.py           KINDS
source.py          a file, folder or archive as members, with limits (seven_zip.py: .7z)
recognise.py       which kind and format a source is, by content
loader.py          load(): recognise, read, compare, write the difference, register the version, in one transaction
catalog_target.py  writing into a catalog
reading.py         what readers share: counts, warnings, the place of a fault
model.py           what files hold, as frozen dataclasses
banks.py           the bank directory; ed807.py, ed807_entry.py: its form ED807
okof.py, enaof.py  1C's envelope of fixed assets (envelope.py)
okved2.py oksm.py okv.py okei.py okopf.py   small classifiers: CSV or XML of named columns (tables.py)
rates.py calendar.py   registers by day (register_target.py)
dbf.py             DBF tables by whole blocks (dbf_write.py: writing them)
kladr*.py gar*.py  addresses: files, rows and loading of KLADR and of GAR (gar_delta.py: what changed)
address_*.py       where addresses lie, the dictionary of words, the picker, house numbers, obsolete codes, commands
xml_stream.py      hardened XML as a stream
account_key.py     the key of an account (CBR rule 515), also used by the CRM's checks
sample.py, sample_kladr.py, sample_gar.py   small valid files in the real formats, for the demo and the tests
"""
