package broker_test

import (
	"bytes"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"usher"
	"usher/broker"
	"usher/broker/grant"
	"usher/broker/seal"
	"usher/store"
)

// planted answers with tokens that are easy to find.
type planted struct{}

func (planted) Ask(context.Context, grant.Request) (*grant.Answer, error) {
	return &grant.Answer{Access: "planted-access-token", Refresh: "planted-refresh-token", ID: "planted-id-token", TokenType: "Bearer", Received: time.Now(), ExpiresIn: time.Hour}, nil
}

func (planted) Introspect(context.Context, grant.Request, usher.Secret, string) (bool, error) {
	return true, nil
}

func (planted) Revoke(context.Context, grant.Request, usher.Secret, string) error { return nil }

// Nothing of a connection lies in clear in the files of the database, its log
// included, whatever was done with it.
func TestNothingInClearOnDisk(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	keep := st.Broker()
	kms, err := seal.CreateFileKey(filepath.Join(t.TempDir(), "key"))
	if err != nil {
		t.Fatal(err)
	}
	box := seal.New(kms, blobRing{keep}, nil)
	b := broker.New(broker.Options{Store: keep, Seal: box, Ask: planted{}})
	defer b.Close()
	c, k := person()
	k.ClientSecret = "planted-client-secret"
	if _, err := b.Add(t.Context(), c, k, broker.Tokens{}); err != nil {
		t.Fatal(err)
	}
	answer, _ := planted{}.Ask(t.Context(), grant.Request{})
	if err := b.Connected(t.Context(), c.ID, answer); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Token(t.Context(), c.ID, broker.Ask{}); err != nil || got.Access != "planted-access-token" {
		t.Fatalf("%v %v", got, err)
	}
	if _, err := box.Rotate(t.Context(), b.Reseal); err != nil {
		t.Fatal(err)
	}
	found := 0
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte("planted-")) {
			t.Errorf("%s holds a secret in clear", filepath.Base(path))
		}
		if bytes.Contains(text, []byte(c.ID)) {
			found++
		}
		return err
	})
	if err != nil || found == 0 {
		t.Fatalf("the connection is in no file, so nothing was looked at: %v", err)
	}
}
