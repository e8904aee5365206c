// Command kc runs a Keycloak for a script: when it is ready it prints its
// address and, on a second line, its folder, which has bin/kcadm.sh. It stops
// the server when standard input ends.
//
//	go run ./test/systems/keycloak/kc --log keycloak.log --realm realm.json
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"usher/test/systems/keycloak"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "kc:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var opt keycloak.Options
	flag.BoolVar(&opt.JSON, "json", false, "write the log as JSON")
	flag.BoolVar(&opt.Unquoted, "unquoted", false, "write events without quotes")
	flag.BoolVar(&opt.NoRepresentation, "no-representation", false, "leave out what admin events wrote")
	log := flag.String("log", "", "the log `file`; a temporary one if empty")
	realm := flag.String("realm", "", "a realm's JSON `file` to import")
	flag.Parse()
	if *log != "" {
		path, err := filepath.Abs(*log)
		if err != nil {
			return err
		}
		opt.Log = path
	}
	s, err := keycloak.Run(ctx, opt)
	if err != nil {
		return err
	}
	defer s.Stop()
	if *realm != "" {
		text, err := os.ReadFile(*realm)
		if err != nil {
			return err
		}
		if err := s.CreateRealm(ctx, text); err != nil {
			return fmt.Errorf("import %s: %w", *realm, err)
		}
	}
	home, err := keycloak.Install(ctx)
	if err != nil {
		return err
	}
	fmt.Printf("%s\n%s\n", s.URL, home)

	closed := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(closed)
	}()
	select {
	case <-ctx.Done():
	case <-closed:
	}
	return nil
}
