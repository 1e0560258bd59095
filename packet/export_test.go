package packet

// DecodeByEveryRule is Decode without its fast path, for comparison with Cut.
func DecodeByEveryRule(p *Publish, f Frame, lim *Limits) error { return p.examine(f, orStandard(lim)) }
