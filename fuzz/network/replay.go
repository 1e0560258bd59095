package network

import (
	"context"
	"errors"

	"sampan/fuzz/script"
)

// Replay carries out one script and returns what became of it, with the transcript. A script that was in order is a
// finding all the same if the canaries are not well behind it. It fails if nobody can connect before, or if the broker
// cannot be restarted.
func (c *Campaign) Replay(ctx context.Context, s *script.Script) (*Finding, []string, error) {
	r := c.begin()
	defer r.birds.close()
	before := r.birds.sing(ctx)
	if before != nil && before.What != "lost" {
		return nil, nil, before
	}
	found := r.deviates(ctx, s)
	if r.fatal != nil {
		return nil, r.target.Said, r.fatal
	}
	if ctx.Err() != nil {
		return nil, r.target.Said, ctx.Err()
	}
	var after *Health
	if before == nil {
		after = r.birds.sing(ctx)
	} else if err := r.reach(ctx, r.birds); err != nil { // who heard nothing before would not now
		after = r.birds.gone(errors.Join(before.Err, err))
	}
	if after != nil && (after.What != "lost" || found == nil) {
		found = ill(after)
		found.Script, found.Transcript = s.String(), r.target.Said
	}
	if found != nil {
		found.Count = 1
	}
	return found, r.target.Said, nil
}
