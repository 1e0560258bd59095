// Package quota holds the quantities of the platform: the table of its limits, and the rate limiters that
// keep the rates among them.
//
// A limiter costs one 64-bit word for each thing that it limits, and nothing else: no goroutine, no clock,
// no lock. The word says when the thing will have used up what it was given (the generic cell rate
// algorithm). Its zero value is a thing that has done nothing yet. Times are nanoseconds of any monotonic
// clock that starts at zero or above.
package quota
