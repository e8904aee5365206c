package preset

import "io/fs"

// Parse and Load are for the tests.
var Parse = parse

func Load() ([]*Preset, []error)               { return load(files) }
func LoadFrom(from fs.FS) ([]*Preset, []error) { return load(from) }
