package quota_test

import (
	"fmt"
	"time"

	"sampan/broker/quota"
)

func Example() {
	limits := quota.Platform()
	limiter := limits.Rate(quota.UplinkQoS1).Limiter() // one for all devices
	var word uint64                                    // one for each device

	allowed := 0
	now := int64(time.Hour)
	for range 12 {
		if limiter.Allow(&word, now, 1) {
			allowed++
		}
	}
	fmt.Println(allowed, "of 12 at once;", limiter.Explain(word))
	fmt.Println("the next one in", limiter.Wait(word, now).Round(time.Millisecond))
	// Output:
	// 10 of 12 at once; Rate limit:10,current qps:12
	// the next one in 100ms
}
