package systems_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// atTerminal runs a command as a person does, whose standard input and output
// are a terminal, and who answers each address that they are to open with the
// one that signIn ends at.
func atTerminal(t *testing.T, cmd *exec.Cmd, signIn func(address string) (string, error)) *looked {
	t.Helper()
	person, terminal, err := openTerminal()
	if err != nil {
		t.Fatal(err)
	}
	defer person.Close()
	cmd.Stdin, cmd.Stdout = terminal, terminal
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = terminal.Close()

	var out bytes.Buffer
	var reading sync.WaitGroup
	reading.Go(func() { _, _ = io.Copy(&out, person) }) // ends with EIO when the program does

	var said []byte
	for done, buf := 0, make([]byte, 4096); ; {
		n, err := errs.Read(buf)
		said = append(said, buf[:n]...)
		for {
			at := toOpen.FindSubmatchIndex(said[done:])
			if at == nil {
				break
			}
			address := string(said[done+at[2] : done+at[3]])
			done += at[1]
			back, err := signIn(address)
			if err != nil {
				t.Errorf("sign in at %s: %v", address, err)
			}
			_, _ = person.WriteString(back + "\n")
		}
		if err != nil {
			break
		}
	}
	l := &looked{t: t, Stderr: string(said)}
	err = cmd.Wait()
	reading.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		l.Status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	l.read(out.Bytes())
	return l
}

// openTerminal opens a pair of a terminal and of the one who sits at it. What is
// typed is not echoed.
func openTerminal() (person, terminal *os.File, err error) {
	person, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	fd := int(person.Fd())
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		terminal, err = os.OpenFile("/dev/pts/"+strconv.Itoa(number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		_ = person.Close()
		return nil, nil, err
	}
	mode, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err == nil {
		mode.Lflag &^= unix.ECHO
		mode.Oflag &^= unix.OPOST
		err = unix.IoctlSetTermios(int(terminal.Fd()), unix.TCSETS, mode)
	}
	if err != nil {
		_ = terminal.Close()
		_ = person.Close()
		return nil, nil, err
	}
	return person, terminal, nil
}
