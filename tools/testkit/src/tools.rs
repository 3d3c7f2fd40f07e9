//! The paths of the real servers and tools: in the tools folder of `.ci/install`, and on the `PATH`.

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

const INSTALL: &str = "run `bash .ci/install` in the repository";

/// The folder into which `.ci/install` installs: `$HOLDFAST_TOOLS`, or else `holdfast/tools` in the cache folder.
#[must_use]
pub fn folder() -> PathBuf {
    match std::env::var_os("HOLDFAST_TOOLS").filter(|value| !value.is_empty()) {
        Some(folder) => PathBuf::from(folder),
        None => cache().join("tools"),
    }
}

/// Holdfast's cache folder: `$XDG_CACHE_HOME/holdfast`, or else `~/.cache/holdfast`.
pub(crate) fn cache() -> PathBuf {
    let root = match std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        Some(cache) => PathBuf::from(cache),
        None => PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache"),
    };
    root.join("holdfast")
}

/// A command on the `PATH`.
///
/// # Errors
///
/// [`Error::Unavailable`] if there is none of that name.
pub fn command(name: &str) -> Result<PathBuf, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| Error::unavailable(name, "no command of that name on the PATH"))
}

/// The Java that runs the Kafka server.
///
/// # Errors
///
/// [`Error::Unavailable`] if there is no `java` on the `PATH`.
pub fn java() -> Result<PathBuf, Error> {
    command("java").map_err(|_| Error::unavailable("Java 17", INSTALL))
}

/// The folder of the Apache Kafka server's jars.
///
/// # Errors
///
/// [`Error::Unavailable`] if it is not installed.
pub fn kafka() -> Result<PathBuf, Error> {
    installed("Apache Kafka", "kafka")
}

/// The S3 server's binary.
///
/// # Errors
///
/// [`Error::Unavailable`] if it is not installed.
pub fn versitygw() -> Result<PathBuf, Error> {
    installed("the S3 server versitygw", "versitygw/versitygw")
}

/// The stock `age` command, which shares no code with Holdfast.
///
/// # Errors
///
/// [`Error::Unavailable`] if it is not on the `PATH`.
pub fn age() -> Result<PathBuf, Error> {
    command("age").map_err(|_| Error::unavailable("the age command", INSTALL))
}

/// The stock `age-keygen` command.
///
/// # Errors
///
/// [`Error::Unavailable`] if it is not on the `PATH`.
pub fn age_keygen() -> Result<PathBuf, Error> {
    command("age-keygen").map_err(|_| Error::unavailable("the age-keygen command", INSTALL))
}

/// A Python that has PyArrow and pyrage, for the scripts in `tools/testkit/foreign`.
///
/// # Errors
///
/// [`Error::Unavailable`] if it is not installed.
pub fn python() -> Result<PathBuf, Error> {
    installed("a Python with PyArrow and pyrage", "python/bin/python")
}

/// The PostgreSQL driver for Java.
///
/// # Errors
///
/// [`Error::Unavailable`] if it is not installed.
pub fn postgres_jdbc() -> Result<PathBuf, Error> {
    installed("the PostgreSQL driver for Java", "jdbc/postgresql.jar")
}

/// A Python that has the clients of PostgreSQL: psycopg, psycopg 2, asyncpg, pg8000, SQLAlchemy, pandas, ADBC and pyodbc.
///
/// # Errors
///
/// [`Error::Unavailable`] if it is not installed.
pub fn postgres_clients() -> Result<PathBuf, Error> {
    installed("a Python with the clients of PostgreSQL", "postgres-clients/bin/python")
}

/// The folder in which Node finds node-postgres and Postgres.js.
///
/// # Errors
///
/// [`Error::Unavailable`] if it is not installed.
pub fn node_clients() -> Result<PathBuf, Error> {
    installed("node-postgres and Postgres.js", "node-clients/node_modules")
}

/// The folder of the jars of Hibernate and of the PostgreSQL driver for Java.
///
/// # Errors
///
/// [`Error::Unavailable`] if it is not installed.
pub fn hibernate() -> Result<PathBuf, Error> {
    installed("Hibernate", "hibernate")
}

/// A Python that has DuckDB.
///
/// # Errors
///
/// [`Error::Unavailable`] if it is not installed.
pub fn duckdb() -> Result<PathBuf, Error> {
    installed("a Python with DuckDB", "duckdb/bin/python")
}

/// The script `name` of `tools/testkit/foreign`.
#[must_use]
pub fn foreign_script(name: &str) -> PathBuf {
    workspace().join("tools/testkit/foreign").join(name)
}

/// The program of `tools/testkit/foreign/go`, which checks proof logs with the code of Go's checksum database.
///
/// # Errors
///
/// As [`go_program`].
pub fn go_checker() -> Result<PathBuf, Error> {
    go_program("go-checker", &workspace().join("tools/testkit/foreign/go"))
}

/// A program in Go, whose source is `main.go` in a folder with its modules. It is built when its source has changed, and stored
/// in the tools folder as `name`.
///
/// # Errors
///
/// [`Error::Unavailable`] if it has to be built and there is no `go` on the `PATH`.
pub fn go_program(name: &str, source: &Path) -> Result<PathBuf, Error> {
    let mut hasher = DefaultHasher::new();
    for name in ["go.mod", "go.sum", "main.go"] {
        let path = source.join(name);
        hasher.write(&std::fs::read(&path).map_err(Error::io("read", &path))?);
    }
    let built = folder().join(format!("{name}-{:016x}", hasher.finish()));
    if built.exists() {
        return Ok(built);
    }
    let go =
        command("go").map_err(|_| Error::unavailable("Go", format!("install it: it builds {}", source.display())))?;
    let folder = folder();
    std::fs::create_dir_all(&folder).map_err(Error::io("make", &folder))?;
    // Built elsewhere and moved, because tests of two runs may build it at the same time.
    let work = tempfile::Builder::new().prefix(".go-program-").tempdir_in(&folder);
    let work = work.map_err(Error::io("make a folder in", &folder))?;
    let new = work.path().join("program");
    let mut build = Command::new(&go);
    build.args(["build", "-trimpath", "-o"]).arg(&new).arg(".").current_dir(source).env("CGO_ENABLED", "0");
    let output = build.output().map_err(Error::io("start", &go))?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(Error::Ended { name: "go build".to_owned(), status: output.status, log });
    }
    std::fs::rename(&new, &built).map_err(Error::io("move", &new))?;
    Ok(built)
}

/// The folder with the PostgreSQL server's programs: the newest that Debian has installed.
///
/// # Errors
///
/// [`Error::Unavailable`] if there is none.
pub fn postgres() -> Result<PathBuf, Error> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    let newest =
        versions.map(|entry| entry.path()).filter(|path| path.join("bin/postgres").exists()).max_by_key(number);
    newest.map(|path| path.join("bin")).ok_or_else(|| Error::unavailable("PostgreSQL", INSTALL))
}

/// MariaDB's server, its client, and the program that creates a data folder.
///
/// # Errors
///
/// [`Error::Unavailable`] if one of them is missing.
pub fn mariadb() -> Result<[PathBuf; 3], Error> {
    let find = |name: &str| {
        let usual = Path::new("/usr/sbin").join(name);
        if usual.exists() { Ok(usual) } else { command(name) }
    };
    let missing = |_| Error::unavailable("MariaDB", INSTALL);
    Ok([
        find("mariadbd").map_err(missing)?,
        find("mariadb").map_err(missing)?,
        find("mariadb-install-db").map_err(missing)?,
    ])
}

/// An ODBC driver from Debian, such as `psqlodbcw.so`.
///
/// # Errors
///
/// [`Error::Unavailable`] if it is not installed.
pub fn odbc_driver(name: &str) -> Result<PathBuf, Error> {
    let libraries = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut drivers = libraries.map(|entry| entry.path().join("odbc").join(name));
    drivers.find(|path| path.exists()).ok_or_else(|| Error::unavailable(&format!("the ODBC driver {name}"), INSTALL))
}

/// A command that runs `program` as `user` if this process is root: some servers refuse to run as root.
pub(crate) fn unprivileged(program: &Path, user: &str) -> Result<Command, Error> {
    if !is_root() {
        return Ok(Command::new(program));
    }
    let mut wrapped = Command::new(command("setpriv")?);
    wrapped.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups", "--"]).arg(program);
    // The user may not have access to the current folder.
    wrapped.current_dir("/");
    Ok(wrapped)
}

/// Whether this process runs as root, by the owner of its folder in /proc.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Changes the owner of a file or folder to `user`, if this process is root.
pub(crate) fn change_owner(path: &Path, user: &str) -> Result<(), Error> {
    if !is_root() {
        return Ok(());
    }
    run("chown", Command::new("chown").arg(user).arg(path))
}

/// Writes a file that only `user` may read, as servers demand of their keys.
pub(crate) fn write_private(path: &Path, text: &str, user: &str) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).map_err(Error::io("write", path))?;
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, private).map_err(Error::io("set the permissions of", path))?;
    change_owner(path, user)
}

/// Runs a command to its end, which must be a success.
pub(crate) fn run(name: &str, command: &mut Command) -> Result<(), Error> {
    let output = command.output().map_err(Error::io("start", command.get_program()))?;
    if output.status.success() {
        return Ok(());
    }
    let log = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    Err(Error::Ended { name: name.to_owned(), status: output.status, log })
}

fn installed(part: &str, relative: &str) -> Result<PathBuf, Error> {
    let path = folder().join(relative);
    if path.exists() {
        Ok(path)
    } else {
        Err(Error::unavailable(part, format!("{} does not exist; {INSTALL}", path.display())))
    }
}

/// The folder of the workspace of the running test. It is determined at run time: clones that share a target folder also share
/// this crate, which may have been built in another clone.
pub(crate) fn workspace() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests and sets the folder of their crate");
    let mut folders = Path::new(&own).ancestors();
    folders.find(|folder| folder.join("Cargo.lock").is_file()).expect("a crate is in the workspace").to_owned()
}
