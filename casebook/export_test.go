package casebook

// FollowsFrom shows followsFrom to the tests.
func (b *Book) FollowsFrom(cause, of string) bool { return b.turn(nil).followsFrom(cause, of) }
