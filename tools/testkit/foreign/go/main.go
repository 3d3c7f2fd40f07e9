// Foreign verifies the signatures and files of Holdfast with code that is independent of Holdfast: the packages note and
// tlog of golang.org/x/mod, which Go's own checksum database uses. The rest of this program is file names and JSON, written
// only from docs/formats.md.
//
//	foreign checkpoint --log ARCHIVE/proof --vkey signing.pub
//	foreign proof --vkey signing.pub PROOF.json
//
// It prints one line that starts with ok, or it prints the reason and exits with 1.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// The height of the tiles (C2SP tlog-tiles), and entries of a full bundle.
const (
	height = 8
	width  = 1 << height
)

func main() {
	result, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(result)
}

func run(arguments []string) (string, error) {
	usage := errors.New("usage: foreign checkpoint --log FOLDER --vkey FILE | foreign proof --vkey FILE PROOF.json")
	if len(arguments) == 0 {
		return "", usage
	}
	flags := flag.NewFlagSet(arguments[0], flag.ContinueOnError)
	folder := flags.String("log", "", "the folder proof of an archive")
	vkey := flags.String("vkey", "", "the file with the log's verifier keys")
	if err := flags.Parse(arguments[1:]); err != nil {
		return "", err
	}
	keys, err := readKeys(*vkey)
	if err != nil {
		return "", err
	}
	switch {
	case arguments[0] == "checkpoint" && *folder != "" && flags.NArg() == 0:
		return checkLog(*folder, keys)
	case arguments[0] == "proof" && flags.NArg() == 1:
		return checkProof(flags.Arg(0), keys)
	}
	return "", usage
}

// The log's keys, and the greatest size of the tree that each may sign.
type keys struct {
	verifiers []note.Verifier
	until     map[uint32]int64
}

func readKeys(file string) (keys, error) {
	known := keys{until: map[uint32]int64{}}
	text, err := os.ReadFile(file)
	if err != nil {
		return known, err
	}
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(words[0], "#") {
			continue
		}
		verifier, err := note.NewVerifier(words[0])
		if err != nil {
			return known, fmt.Errorf("%s: %w", file, err)
		}
		known.verifiers = append(known.verifiers, verifier)
		if len(words) == 3 && words[1] == "retired-at" {
			size, err := strconv.ParseInt(words[2], 10, 64)
			if err != nil {
				return known, fmt.Errorf("%s: %w", file, err)
			}
			known.until[verifier.KeyHash()] = size
		} else if len(words) > 1 {
			return known, fmt.Errorf("%s: unexpected words after a key", file)
		}
	}
	return known, nil
}

// Reads a checkpoint that one of the keys signed.
func (known keys) open(message []byte) (tree tlog.Tree, extensions []string, err error) {
	opened, err := note.Open(message, note.VerifierList(known.verifiers...))
	if err != nil {
		return tree, nil, err
	}
	lines := strings.Split(strings.TrimSuffix(opened.Text, "\n"), "\n")
	if len(lines) < 3 {
		return tree, nil, errors.New("a checkpoint has an origin, a size and a root")
	}
	// tlog accepts only the origin of the Go checksum database.
	tree, err = tlog.ParseTree([]byte("go.sum database tree\n" + lines[1] + "\n" + lines[2] + "\n"))
	if err != nil {
		return tree, nil, err
	}
	for _, signature := range opened.Sigs {
		until, retired := known.until[signature.Hash]
		if signature.Name == lines[0] && (!retired || tree.N <= until) {
			return tree, lines[3:], nil
		}
	}
	return tree, nil, fmt.Errorf("no key that may sign %d leaves of %q signed it", tree.N, lines[0])
}

// The tiles of a log in a folder, as C2SP tlog-tiles names them: the height of the tiles is not in their names.
type tiles string

func (folder tiles) Height() int { return height }

func (folder tiles) SaveTiles([]tlog.Tile, [][]byte) {}

func (folder tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var all [][]byte
	for _, tile := range wanted {
		hashes, err := os.ReadFile(filepath.Join(string(folder), tileName(tile)))
		if err != nil {
			return nil, err
		}
		all = append(all, hashes)
	}
	return all, nil
}

func tileName(tile tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(tile.Path(), fmt.Sprintf("tile/%d/", height))
}

// The hashes of the tree over entries, computed only from the entries.
type hashes []tlog.Hash

func (known hashes) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, index := range indexes {
		if index < 0 || index >= int64(len(known)) {
			return nil, fmt.Errorf("there is no hash %d", index)
		}
		found = append(found, known[index])
	}
	return found, nil
}

func readEntries(folder string, size int64) (hashes, error) {
	var known hashes
	for first := int64(0); first < size; first += width {
		count := min(size-first, width)
		// A bundle is named like the tile of its entries' hashes.
		name := tileName(tlog.Tile{H: height, L: 0, N: first / width, W: int(count)})
		name = strings.Replace(name, "tile/0/", "tile/entries/", 1)
		rest, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			return nil, err
		}
		for number := first; number < first+count; number++ {
			if len(rest) < 2 || len(rest) < 2+int(binary.BigEndian.Uint16(rest)) {
				return nil, fmt.Errorf("%s ends within entry %d", name, number)
			}
			end := 2 + int(binary.BigEndian.Uint16(rest))
			stored, err := tlog.StoredHashesForRecordHash(number, tlog.RecordHash(rest[2:end]), known)
			if err != nil {
				return nil, err
			}
			known = append(known, stored...)
			rest = rest[end:]
		}
		if len(rest) > 0 {
			return nil, fmt.Errorf("%s has more than %d entries", name, count)
		}
	}
	return known, nil
}

func checkLog(folder string, known keys) (string, error) {
	message, err := os.ReadFile(filepath.Join(folder, "checkpoint"))
	if err != nil {
		return "", err
	}
	head, extensions, err := known.open(message)
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}

	// The signed root from the tiles, then from the entries; then every tile against the entries, byte for byte.
	reader := tlog.TileHashReader(head, tiles(folder))
	if root, err := tlog.TreeHash(head.N, reader); err != nil || root != head.Hash {
		return "", fmt.Errorf("the tiles are not those of the checkpoint: %v", err)
	}
	entries, err := readEntries(folder, head.N)
	if err != nil {
		return "", err
	}
	if root, err := tlog.TreeHash(head.N, entries); err != nil || root != head.Hash {
		return "", fmt.Errorf("the entries are not those of the checkpoint: %v", err)
	}
	all := tlog.NewTiles(height, 0, head.N)
	for _, tile := range all {
		written, err := tiles(folder).ReadTiles([]tlog.Tile{tile})
		if err != nil {
			return "", err
		}
		computed, err := tlog.ReadTileData(tile, entries)
		if err != nil || !bytes.Equal(computed, written[0]) {
			return "", fmt.Errorf("%s has not the hashes of its entries: %v", tileName(tile), err)
		}
	}

	names, err := filepath.Glob(filepath.Join(folder, "checkpoints", "*"))
	if err != nil {
		return "", err
	}
	for _, name := range names {
		if err := checkKept(name, head, reader, known); err != nil {
			return "", fmt.Errorf("checkpoints/%s: %w", filepath.Base(name), err)
		}
	}
	return fmt.Sprintf("ok %d leaves in %d tiles, root %v, %d kept checkpoints, %s",
		head.N, len(all), head.Hash, len(names), strings.Join(extensions, ", ")), nil
}

// Whether a stored checkpoint is consistent with the head.
func checkKept(name string, head tlog.Tree, reader tlog.HashReader, known keys) error {
	message, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	old, _, err := known.open(message)
	if err != nil {
		return err
	}
	if filepath.Base(name) != fmt.Sprintf("%020d", old.N) {
		return fmt.Errorf("it is of %d leaves", old.N)
	}
	if old.N > head.N {
		return fmt.Errorf("the log has only %d leaves", head.N)
	}
	proof, err := tlog.ProveTree(head.N, old.N, reader)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, head.N, head.Hash, old.N, old.Hash)
}

// The position of a leaf in a tree, and its inclusion proof.
type place struct {
	Index int64       `json:"index"`
	Path  []tlog.Hash `json:"path"`
}

func checkProof(file string, known keys) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	var proof struct {
		Holdfast   string `json:"holdfast"`
		Record     string `json:"record"`
		Batch      place  `json:"batch"`
		Leaf       string `json:"leaf"`
		Log        place  `json:"log"`
		Checkpoint string `json:"checkpoint"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&proof); err != nil {
		return "", err
	}
	if proof.Holdfast != "proof 1" {
		return "", fmt.Errorf("%q is not proof 1", proof.Holdfast)
	}
	record, err := base64.StdEncoding.DecodeString(proof.Record)
	if err != nil {
		return "", fmt.Errorf("record: %w", err)
	}
	var leaf struct {
		Leaf  string    `json:"leaf"`
		Count int64     `json:"count"`
		Root  tlog.Hash `json:"root"`
	}
	if err := json.Unmarshal([]byte(proof.Leaf), &leaf); err != nil {
		return "", fmt.Errorf("leaf: %w", err)
	}
	if leaf.Leaf != "batch" {
		return "", fmt.Errorf("the leaf is a %q and not a batch", leaf.Leaf)
	}
	if err := check(proof.Batch, leaf.Count, leaf.Root, record); err != nil {
		return "", fmt.Errorf("the record is not in the batch: %w", err)
	}
	head, _, err := known.open([]byte(proof.Checkpoint))
	if err != nil {
		return "", fmt.Errorf("checkpoint: %w", err)
	}
	if err := check(proof.Log, head.N, head.Hash, []byte(proof.Leaf)); err != nil {
		return "", fmt.Errorf("the leaf is not in the log: %w", err)
	}
	return fmt.Sprintf("ok record %d of %d, leaf %d of %d", proof.Batch.Index, leaf.Count, proof.Log.Index, head.N), nil
}

func check(at place, size int64, root tlog.Hash, record []byte) error {
	if at.Index < 0 || at.Index >= size {
		return fmt.Errorf("there is no number %d among %d", at.Index, size)
	}
	return tlog.CheckRecord(tlog.RecordProof(at.Path), size, root, at.Index, tlog.RecordHash(record))
}
