// pgx. The same as ../contract.py.
package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
)

const (
	page    = "SELECT subject FROM archive.events WHERE type = 'session.started' ORDER BY subject LIMIT $1 OFFSET $2"
	any_    = "SELECT count(*) AS count FROM archive.events WHERE subject = ANY($1)"
	since   = "SELECT count(*) AS count FROM archive.events WHERE time >= $1"
	unknown = "SELECT nothing FROM archive.events"
	endless = "SELECT count(*) AS count FROM generate_series(1, 1000000000000) AS a(value) WHERE a.value % 7 = 9"
	reads   = `SELECT time, time - timestamptz '2026-05-08 04:03:02+00' AS since, rating::numeric(10,2) AS rating,
    ARRAY['a b', NULL, 'c"d,{}'] AS texts, ARRAY[1::int4, NULL, 3::int4] AS numbers
    FROM archive.events WHERE id = 'S-003-50'`
)

func tell(check string, got any) {
	line, err := json.Marshal(map[string]any{"check": check, "got": got})
	must(err)
	fmt.Println(string(line))
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// A value as JSON has it.
func plain(value any) any {
	switch v := value.(type) {
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000000Z")
	case pgtype.Interval:
		return (int64(v.Months)*30+int64(v.Days))*86400e6 + v.Microseconds
	case pgtype.Numeric:
		text, err := v.Value()
		must(err)
		return text
	case int64:
		if v > 1<<53 {
			return fmt.Sprint(v)
		}
		return v
	case []byte:
		return hex.EncodeToString(v)
	case [16]byte:
		return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:])
	case map[string]any:
		text, err := json.Marshal(v)
		must(err)
		return string(text)
	}
	return value
}

// A value that is read and bound again in Go's own type of its kind.
var values = map[string]any{
	"bool": true, "int2": int16(-1234), "int4": int32(123456789), "int8": int64(9007199254740993),
	"float4": float32(1.5), "float8": 0.1, "text": "grüße 'q' \"d\" \\",
	"timestamptz": time.Date(2026, 11, 20, 5, 6, 7, 123456000, time.UTC),
	"interval":    3*24*time.Hour + 4*time.Hour + 5*time.Minute + 6*time.Second + 789*time.Millisecond,
	"uuid":        "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "bytea": []byte{0, 255, 65},
	"int4[]": []any{int32(1), nil, int32(3)}, "text[]": []any{"a b", nil, "c\"d,{}"},
	"date": "2026-11-20", "timestamp": "2026-11-20 05:06:07.123456", "numeric(20,9)": "1234567890.123456789", "json": `{"a": [1, 2]}`,
}

func main() {
	host, port, user, password := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	ctx, stop := context.WithTimeout(context.Background(), 50*time.Second)
	defer stop()
	address := fmt.Sprintf("postgres://%s:%s@%s:%s/holdfast", user, url.PathEscape(password), host, port)
	c, err := pgx.Connect(ctx, address)
	must(err)
	texts := func(text string, values ...any) []string {
		rows, err := c.Query(ctx, text, values...)
		must(err)
		got, err := pgx.CollectRows(rows, pgx.RowTo[string])
		must(err)
		return got
	}
	code := func(err error) (string, string) {
		var failed *pgconn.PgError
		if !errors.As(err, &failed) {
			return fmt.Sprint(err), ""
		}
		return failed.Code, reflect.TypeOf(failed).Elem().Name()
	}
	tell("tls", texts("SHOW ssl")[0])
	all := []string{}
	for at := 0; at < 48; at += 8 {
		all = append(all, texts(page, 8, at)...)
	}
	tell("pages", all)
	modes := map[string]pgx.QueryExecMode{"": pgx.QueryExecModeExec, " (binary)": pgx.QueryExecModeCacheStatement}
	for name, mode := range modes {
		got, nulls := map[string]any{}, map[string]any{}
		for kind, value := range values {
			// In this mode the driver guesses types, and has none for these.
			if name == "" && (kind == "int4[]" || kind == "text[]" || kind == "interval") {
				value = map[string]string{"int4[]": "{1,NULL,3}", "text[]": `{"a b",NULL,"c\"d,{}"}`, "interval": "3 days 04:05:06.789"}[kind]
			}
			row := func(value any) any {
				rows, err := c.Query(ctx, "SELECT $1::"+kind, mode, value)
				must(err)
				one, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (any, error) {
					all, err := row.Values()
					if err != nil {
						return nil, err
					}
					return all[0], nil
				})
				if err != nil {
					must(fmt.Errorf("%s%s: %w", kind, name, err))
				}
				return one
			}
			one := row(value)
			if at, is := one.(time.Time); is && kind == "date" {
				got[kind] = at.Format("2006-01-02")
			} else if is && kind == "timestamp" {
				got[kind] = at.Format("2006-01-02T15:04:05.000000")
			} else {
				got[kind] = plain(one)
			}
			nulls[kind] = row(nil)
		}
		tell("values"+name, got)
		tell("nulls"+name, nulls)
	}
	var at time.Time
	var span pgtype.Interval
	var rating pgtype.Numeric
	var words []*string
	var numbers []*int32
	must(c.QueryRow(ctx, reads).Scan(&at, &span, &rating, &words, &numbers))
	tell("reads", map[string]any{"time": plain(at), "since": plain(span), "rating": plain(rating), "texts": words, "numbers": numbers})
	var count int
	must(c.QueryRow(ctx, any_, []string{"S-001", "S-002", "nobody"}).Scan(&count))
	tell("any", count)
	must(c.QueryRow(ctx, since, time.Date(2026, 5, 10, 8, 30, 0, 0, time.UTC)).Scan(&count))
	tell("since", count)
	_, err = c.Exec(ctx, page, -1, 0)
	negative, _ := code(err)
	tell("negative limit", negative)
	_, err = c.Exec(ctx, unknown)
	state, class := code(err)
	tell("unknown column", []string{state, class})
	batch := &pgx.Batch{}
	for number := 0; number < 3; number++ {
		batch.Queue("SELECT $1::int4 + 1::int4", number)
	}
	results := c.SendBatch(ctx, batch)
	sums := []int{}
	for range 3 {
		var sum int
		must(results.QueryRow().Scan(&sum))
		sums = append(sums, sum)
	}
	must(results.Close())
	tell("pipeline", sums)
	cancelled := make(chan error)
	go func() {
		_, err := c.Exec(ctx, endless)
		cancelled <- err
	}()
	time.Sleep(400 * time.Millisecond)
	must(c.PgConn().CancelRequest(ctx))
	state, _ = code(<-cancelled)
	tell("cancelled", state)
	must(c.QueryRow(ctx, "SELECT 7::int4").Scan(&count))
	tell("afterwards", count)
	transaction, err := c.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly, DeferrableMode: pgx.Deferrable})
	must(err)
	shown := []string{}
	for _, mode := range []string{"read_only", "isolation", "deferrable"} {
		var value string
		must(transaction.QueryRow(ctx, "SHOW transaction_"+mode).Scan(&value))
		shown = append(shown, value)
	}
	must(transaction.Commit(ctx))
	tell("transaction", shown)
	must(c.Close(ctx))
}
