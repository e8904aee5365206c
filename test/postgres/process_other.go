//go:build !unix

package postgres

import "errors"

type process struct{}

func start([]string) (*Server, error) {
	return nil, errors.New("a PostgreSQL for tests is started on Unix only; name one in USHER_POSTGRES")
}

func (*process) start() error { return nil }
func (*process) kill() error  { return nil }
func (*process) end()         {}
