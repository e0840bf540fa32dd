"""`infobase server ...`: the server's life, and the cluster's administration over the wire."""
