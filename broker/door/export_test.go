package door

// Remembered counts the keys that are known not to be.
func (d *Door) Remembered() int {
	d.keys.mu.RLock()
	defer d.keys.mu.RUnlock()
	return len(d.keys.unknown)
}
