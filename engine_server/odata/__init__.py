"""1C's standard OData interface (OData V3) over an infobase: `/odata/standard.odata/`."""
