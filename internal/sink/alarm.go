package sink

// Alarm is a kind of trouble of a dataset that people are told of: once when it begins, and once when it is over.
type Alarm string

// The alarms.
const (
	AlarmFailing Alarm = "failing" // windows cannot be read, or no pass can
	AlarmStale   Alarm = "stale"   // complete data lies too far back
	AlarmLate    Alarm = "late"    // rows arrive later than the last re-read of their window
)
