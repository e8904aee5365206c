package store

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"

	"usher"
)

// remote is a PostgreSQL.
type remote struct {
	short    *pool // for the short transactions of the broker, which wait for no Update
	where    string
	patience time.Duration
}

// patience is how long a statement of the broker may take, and a quarter of what
// an Update may once it is its turn.
const patience = 15 * time.Second

// shortConnections is how many statements of the broker run at one time.
const shortConnections = 6

// updateLock makes Update one at a time over all who share a database and a
// schema in it. It is the transaction's, and so ends with the connection,
// however that ends.
const updateLock = "SELECT pg_advisory_xact_lock(1970497650, hashtext(current_schema()))" // "usrr"

// migrateLock lets one of those who start at once change the schema.
const migrateLock = "SELECT pg_advisory_lock(1970497645, hashtext(current_schema()))" // "usrm"

// How transactions begin, whatever the server's default is. After the lock of an
// Update each statement sees what the one before it has committed; with another
// isolation it would see what was there before it waited.
var (
	remoteUpdate  = []string{"BEGIN ISOLATION LEVEL READ COMMITTED", updateLock}
	remoteView    = []string{"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY"}
	remoteSeveral = []string{"BEGIN ISOLATION LEVEL READ COMMITTED"}
)

// remoteSettings are of each connection, whatever the server's defaults: an usher
// that is gone or frozen in the middle of a transaction keeps the others waiting
// for no more than this, a commit is on the disk before it is told, and a single
// statement looks again at a row that it waited for.
const remoteSettings = `SET default_transaction_isolation = 'read committed'; SET idle_in_transaction_session_timeout = '60s';
SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 4; SET tcp_user_timeout = 30000;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'`

// openRemote opens PostgreSQL.
func (s *Store) openRemote(ctx context.Context, opt Options) error {
	config, where, err := remoteConfig(opt.URL)
	if err != nil {
		return err
	}
	s.where = where
	s.remote = &remote{where: where, patience: cmp.Or(opt.patience, patience)}
	connector := stdlib.GetConnector(*config, stdlib.OptionAfterConnect(func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, remoteSettings)
		return err
	}))
	notes, err := opt.schema().migrateRemote(ctx, connector, config, where)
	if err != nil {
		return s.remote.explain(err)
	}
	s.notes = append(s.notes, notes...)
	if path := filepath.Join(s.dir, fileName); sizeOf(path) > 0 {
		s.notes = append(s.notes, path+" is not used: the state is in "+where)
	}
	s.writing = newPool(connector, 1, true)
	s.reading = newPool(connector, opt.Readers, true)
	s.remote.short = newPool(connector, shortConnections, true)
	return nil
}

// remoteConfig reads the URL of a PostgreSQL, and what the usual variables of
// the environment add to it. Nothing of the URL but host, port and database is
// ever told: a password that is written wrong could stand anywhere in it.
func remoteConfig(text string) (config *pgx.ConnConfig, where string, err error) {
	wrong := func(why, hint string) (*pgx.ConnConfig, string, error) {
		return nil, "", &usher.Error{Code: usher.ErrUsage, Message: "store: names no PostgreSQL that can be used: " + why, Hint: hint}
	}
	if !strings.HasPrefix(text, "postgres://") && !strings.HasPrefix(text, "postgresql://") {
		return wrong("it is neither sqlite nor a URL that begins with postgres://", "write store: postgres://usher@127.0.0.1:5432/usher")
	}
	const encode = "encode what is no letter or digit in its password (/ is %2F, # is %23, ? is %3F, @ is %40), or leave the password out and put it into PGPASSWORD or a .pgpass file"
	u, err := url.Parse(text)
	if err != nil || u.Fragment != "" || strings.Contains(u.Path, "@") || strings.Contains(u.RawQuery, "@") {
		return wrong("it is not a whole URL", encode)
	}
	for name := range u.Query() {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz_.0123456789") != "" {
			return wrong("it is not a whole URL", encode)
		}
	}
	config, err = pgx.ParseConfig(text)
	if err != nil { // whose words may hold the URL
		return wrong("its host, port or settings cannot be read", encode+"; settings are those of PostgreSQL: sslmode, sslrootcert, search_path, connect_timeout")
	}
	where = "PostgreSQL at " + config.Host
	if !strings.HasPrefix(config.Host, "/") {
		where = "PostgreSQL at " + net.JoinHostPort(config.Host, strconv.Itoa(int(config.Port)))
	}
	if config.Database != "" {
		where += ", database " + config.Database
	}
	if path := config.RuntimeParams["search_path"]; path != "" {
		where += ", schema " + path
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "usher"
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = 10 * time.Second
	}
	// Who waits for a server that is gone without a word learns of it in half a
	// minute, and not after hours.
	dialer := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 4}}
	config.DialFunc = dialer.DialContext
	if config.ValidateConnect == nil { // of several hosts the one that takes writes
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return config, where, nil
}

// migrateRemote brings the database up to date; of several who start at once one
// does it. It tells what is worth knowing of the server.
func (sc schema) migrateRemote(ctx context.Context, connector driver.Connector, config *pgx.ConnConfig, where string) (notes []string, err error) {
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(2)
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, told(err, "open the database")
	}
	defer conn.Close()
	at, err := remoteVersion(ctx, conn)
	if err != nil {
		return nil, err
	}
	if at < sc.latest {
		if _, err := conn.ExecContext(ctx, migrateLock); err != nil {
			return nil, told(err, "wait for another usher that changes the schema")
		}
		// The lock ends with the connection, at the end of this function.
		if at, err = remoteVersion(ctx, conn); err != nil {
			return nil, err
		}
	}
	switch {
	case at > sc.latest:
		return nil, &usher.Error{
			Code:    usher.ErrUsage,
			Message: fmt.Sprintf("the data in %s was written by a newer usher: its schema is number %d, this usher knows %d", where, at, sc.latest),
			Hint:    "run the newer usher, or restore the copy that was made with pg_dump before it",
			Err:     ErrNewer,
		}
	case at < sc.latest:
		provider, err := sc.provider(goose.DialectPostgres, db)
		if err != nil {
			return nil, err
		}
		if _, err := provider.Up(ctx); err != nil {
			return nil, told(err, fmt.Sprintf("bring the schema from number %d to %d", at, sc.latest))
		}
	}
	return remoteNotes(ctx, conn, config)
}

func remoteVersion(ctx context.Context, conn *sql.Conn) (at int64, err error) {
	var schema sql.NullString
	var tables, known int
	err = conn.QueryRowContext(ctx, `SELECT current_schema(), count(*), count(*) FILTER (WHERE table_name = 'goose_db_version')
		FROM information_schema.tables WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'`).Scan(&schema, &tables, &known)
	switch {
	case err != nil:
		return 0, told(err, "read the version of the schema")
	case !schema.Valid:
		return 0, &usher.Error{
			Code: usher.ErrUsage, Message: "the database has no schema of that name, or its user may not look into it",
			Hint: "CREATE SCHEMA usher AUTHORIZATION usher, and search_path=usher in the URL",
		}
	case known == 0 && tables > 0:
		return 0, &usher.Error{
			Code: usher.ErrUsage, Message: "there are tables of another program in usher's place",
			Hint: "give usher a database of its own, or a schema: search_path=usher in the URL",
		}
	case known == 0:
		return 0, nil
	}
	return at, told(conn.QueryRowContext(ctx, lastMigration).Scan(&at), "read the version of the schema")
}

// remoteNotes tells by what something may be lost, or read on its way.
func remoteNotes(ctx context.Context, conn *sql.Conn, config *pgx.ConnConfig) (notes []string, err error) {
	var fsync, pages, commit string
	var encrypted bool
	err = conn.QueryRowContext(ctx, `SELECT current_setting('fsync'), current_setting('full_page_writes'), (SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'),
		coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)`).Scan(&fsync, &pages, &commit, &encrypted)
	if err != nil {
		return nil, told(err, "read the settings of the server")
	}
	if fsync == "off" || pages == "off" {
		notes = append(notes, "PostgreSQL runs with fsync or full_page_writes switched off: a failure of its machine may lose tokens that providers give once only")
	}
	if commit == "off" {
		notes = append(notes, "PostgreSQL has synchronous_commit off; usher switches it on for itself")
	}
	if ip := net.ParseIP(config.Host); !encrypted && !strings.HasPrefix(config.Host, "/") && config.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		notes = append(notes, "the connection to PostgreSQL at "+config.Host+" is not encrypted: others on the way can read what usher keeps; sslmode=verify-full in the URL asks for it")
	}
	return notes, nil
}

// checkRemote reads every body.
func (s *Store) checkRemote(ctx context.Context) error {
	for _, q := range []struct{ table, column string }{
		{"events", "body"}, {"cases", "body"}, {"connections", "config"}, {"connections", "status"}, {"paces", "body"},
	} {
		err := s.View(ctx, func(tx *Tx) error {
			var n int
			return tx.row("SELECT count(*) FROM " + q.table + " WHERE (" + q.column + "::json) IS NULL").Scan(&n)
		})
		if said := serverSaid(err); said != nil && strings.HasPrefix(said.Code, "22") {
			return damaged(s.where, "something in "+q.table+" is no JSON")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// serverSaid gives the error that the server itself told, or nil: then it did
// not get so far.
func serverSaid(err error) *pgconn.PgError {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return said
	}
	return nil
}

// isFatal tells whether the server ended the connection.
func isFatal(err error) bool {
	said := serverSaid(err)
	return said != nil && (said.Severity == "FATAL" || said.Severity == "PANIC" || strings.HasPrefix(said.Code, "57P"))
}

// collided tells whether two transactions were in each other's way, and this one
// may try again.
func collided(err error) bool {
	said := serverSaid(err)
	return said != nil && (said.Code == "40001" || said.Code == "40P01")
}

// explain turns an error of PostgreSQL into one that says what happened, where,
// and what to do. The server's own words hold no values of ours but where it
// quotes them in detail, which is left away.
func (r *remote) explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) && !isConnect(err) {
		return err
	}
	var known *usher.Error
	if errors.As(err, &known) {
		return err
	}
	tell := func(kind error, message, hint string) error {
		return &usher.Error{Code: usher.ErrUnreadable, Message: message, Hint: hint, Err: errors.Join(kind, err)}
	}
	said := serverSaid(err)
	if said == nil {
		if !isCut(err) {
			return err
		}
		return r.away(err)
	}
	quoted := fmt.Sprintf("PostgreSQL says %q (%s)", said.Message, said.Code)
	switch {
	case strings.HasPrefix(said.Code, "28"):
		return tell(nil, r.where+" lets usher not in: "+quoted, "look at the user in the URL, at the password (in the URL, PGPASSWORD or .pgpass) and at pg_hba.conf")
	case said.Code == "3D000":
		return tell(nil, "there is no such database: "+r.where, "createdb, with usher's user as the owner")
	case said.Code == "42501":
		return tell(nil, r.where+" does not allow it: "+quoted, "usher's user must own its schema: ALTER SCHEMA ... OWNER TO ..., or CREATE SCHEMA usher AUTHORIZATION usher and search_path=usher in the URL")
	case said.Code == "25006":
		return tell(ErrAway, r.where+" only reads: it is a standby", "name the primary; several hosts may stand in the URL with commas between, and the one that writes is taken")
	case said.Code == "53300":
		return tell(ErrBusy, r.where+" has no connection left for usher", "raise max_connections: each usher takes up to 11")
	case said.Code == "53100", said.Code == "53200", said.Code == "53400", said.Code == "58030" && strings.Contains(said.Message, "No space"):
		return tell(ErrFull, "there is no room left at "+r.where+"; nothing of the transaction was kept", "free some space; usher goes on where it stopped")
	case collided(err), said.Code == "55P03":
		return tell(ErrBusy, "another program is in usher's way at "+r.where+"; nothing of the transaction was kept", "end it; usher goes on where it stopped")
	case strings.HasPrefix(said.Code, "08"), strings.HasPrefix(said.Code, "57P"), said.Code == "25P03":
		return tell(ErrAway, r.where+" has ended the connection: "+quoted, "see that it runs; usher goes on when it is back")
	case strings.HasPrefix(said.Code, "XX"):
		return tell(ErrDamaged, "the database is damaged: "+r.where+": "+quoted, "restore the newest copy (docs/data.md, \"PostgreSQL\"), and look at the disk")
	}
	return err
}

// away tells that the server cannot be reached.
func (r *remote) away(err error) error {
	return &usher.Error{
		Code: usher.ErrUnreadable, Message: r.where + " cannot be reached",
		Hint: "see that it runs and that the network leads to it; usher goes on when it is back", Err: errors.Join(ErrAway, err),
	}
}

// isCut tells whether an error is one of the way to the server.
func isCut(err error) bool {
	var n net.Error
	var e *net.OpError
	return isConnect(err) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || errors.As(err, &n) || errors.As(err, &e) ||
		errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrDeadlineExceeded) || strings.HasSuffix(err.Error(), "EOF") || strings.Contains(err.Error(), "conn closed")
}

func isConnect(err error) bool {
	var c *pgconn.ConnectError
	return errors.As(err, &c)
}
