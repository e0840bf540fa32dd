"""Breaking things on purpose: power cuts, kills, failing disks, long mixed load.

python -m tests.reliability powercut --mode file --rounds 200      (root: a loop-mounted file system)
python -m tests.reliability kills --rounds 50
python -m tests.reliability faults
python -m tests.reliability soak --minutes 10
"""
