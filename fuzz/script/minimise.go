package script

import "slices"

// Minimise returns the shortest script that it finds for which fails still reports true, by leaving out
// steps: many at a time first, then one at a time, until no step can be left out. fails is called at most
// tries times. The script itself is not changed.
func Minimise(s *Script, tries int, fails func(*Script) bool) *Script {
	best := *s
	attempt := func(next Script) bool {
		if tries == 0 {
			return false
		}
		tries--
		if !fails(&next) {
			return false
		}
		best = next
		return true
	}
	if whole := best; whole.Chunk > 0 {
		whole.Chunk = 0
		attempt(whole)
	}
	if whole := best; whole.Disk && !slices.ContainsFunc(whole.Steps, func(s Step) bool { return s.Kind == PowerCut }) {
		whole.Disk = false
		attempt(whole)
	}
	for size := max(1, len(best.Steps)/2); ; size /= 2 {
		for at := len(best.Steps) - size; at >= 0; at-- {
			if at+size > len(best.Steps) {
				continue
			}
			shorter := best
			shorter.Steps = unjoined(slices.Delete(slices.Clone(best.Steps), at, at+size))
			attempt(shorter)
		}
		if size == 1 || tries == 0 {
			return &best
		}
	}
}

// unjoined takes joins back whose first part is gone.
func unjoined(steps []Step) []Step {
	for i := range steps {
		if steps[i].Join && (i == 0 || steps[i-1].Kind != Send || steps[i-1].Conn != steps[i].Conn) {
			steps[i].Join = false
		}
	}
	return steps
}
