-- Later than all that was written in the turns before, as the time at which the transaction began need not be.
SELECT clock_timestamp()
