//! Limits of memory that the system enforces: a control group (cgroup v2) for each child.
//!
//! ```text
//! .../holdfast.service      the service's group: delegated (Delegate=memory), and without processes of its own
//!   ├── serve               this process (DelegateSubgroup=serve)
//!   ├── query               a child: memory.max, memory.oom.group
//!   └── sealer              another one
//! ```
//!
//! Groups below one that has processes of its own cannot be limited, and a group that is not delegated belongs to
//! systemd or to the runtime of containers, which do not expect others to change it. So groups are made only beside this
//! process's own one, if that is directly in the group of a service: then the service has been told to share its group.
//! In any other place the parent watches the resident memory of its children instead.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Where the hierarchy is mounted.
const ROOT: &str = "/sys/fs/cgroup";
/// The controller, as the hierarchy names it.
const MEMORY: &str = "memory";

/// Where the groups of children are made.
#[derive(Debug, Clone)]
pub(crate) struct MemoryGroups {
    /// The service's group. `None` if there is none that is ours.
    service: Option<PathBuf>,
    create: fn(&Path) -> io::Result<()>,
}

/// The group of one child. Dropping it removes it, which the system refuses while it has a process.
#[derive(Debug)]
pub(super) struct MemoryGroup {
    folder: PathBuf,
}

impl MemoryGroups {
    /// Looks whether groups can be made, and logs it.
    pub(crate) fn open() -> Self {
        let own = std::fs::read_to_string("/proc/self/cgroup").map_err(|error| format!("/proc/self/cgroup: {error}"));
        match own.and_then(|own| prepare(Path::new(ROOT), &own)) {
            Ok(service) => {
                tracing::info!(group = %service.display(), "the system enforces the memory limits of child processes");
                Self { service: Some(service), ..Self::none() }
            }
            Err(why) => {
                tracing::info!(
                    %why,
                    "the memory limits of child processes are enforced by watching them, and not by the system"
                );
                Self::none()
            }
        }
    }

    /// No groups: memory is watched.
    pub(super) fn none() -> Self {
        Self { service: None, create: create_folder }
    }

    /// Groups in `service`, which `create` makes.
    #[cfg(test)]
    pub(super) fn within(service: PathBuf, create: fn(&Path) -> io::Result<()>) -> Self {
        Self { service: Some(service), create }
    }

    /// Limits a process to `limit` bytes by a group with this name. `None` if its memory must be watched; if a group
    /// should have been made, the log has the reason.
    pub(super) fn limit(&self, name: &'static str, process: u32, limit: u64) -> Option<MemoryGroup> {
        let folder = self.service.as_ref()?.join(name);
        let made = MemoryGroup::make(folder, limit, self.create).and_then(|group| {
            group.set("cgroup.procs", &process.to_string())?;
            Ok(group)
        });
        made.inspect_err(|error| {
            tracing::warn!(role = name, %error, "the system does not limit the memory of a process, so it is watched");
        })
        .ok()
    }
}

impl MemoryGroup {
    fn make(folder: PathBuf, limit: u64, create: fn(&Path) -> io::Result<()>) -> io::Result<Self> {
        // A parent that was killed has left it behind. One with a process is somebody else's.
        match std::fs::remove_dir(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => create(&folder)?,
        }
        let group = Self { folder };
        group.set("memory.max", &limit.to_string())?;
        // The system kills all of the process, also what it has started.
        group.set("memory.oom.group", "1")?;
        match group.set("memory.swap.max", "0") {
            // The system has no swap, or does not count it.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(group),
            other => other.map(|()| group),
        }
    }

    /// Writes a file of the group, which the system has made.
    fn set(&self, file: &str, value: &str) -> io::Result<()> {
        let path = self.folder.join(file);
        let written = OpenOptions::new().write(true).open(&path).and_then(|mut file| file.write_all(value.as_bytes()));
        written.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
    }

    /// Whether the system has killed what was in it, because it exceeded the limit.
    pub(super) fn was_exceeded(&self) -> bool {
        std::fs::read_to_string(self.folder.join("memory.events")).is_ok_and(|events| has_kills(&events))
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir(&self.folder) {
            tracing::debug!(group = %self.folder.display(), %error, "a control group was not removed");
        }
    }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    std::fs::create_dir(folder)
}

/// The group of the service in which this process is, ready for groups of children; or why there is none, for people.
/// `own` is the content of `/proc/self/cgroup`.
fn prepare(root: &Path, own: &str) -> Result<PathBuf, String> {
    let service = root.join(service_of(own)?);
    let failed = |path: &Path, error: io::Error| format!("{}: {error}", path.display());
    let read = |file: &str| {
        let path = service.join(file);
        std::fs::read_to_string(&path).map_err(|error| failed(&path, error))
    };
    if must_enable(&read("cgroup.controllers")?, &read("cgroup.subtree_control")?)? {
        // Refused if it is not delegated to the user of this process, or has processes of its own.
        let path = service.join("cgroup.subtree_control");
        let enabled = OpenOptions::new().write(true).open(&path);
        let enabled = enabled.and_then(|mut file| file.write_all(format!("+{MEMORY}").as_bytes()));
        enabled.map_err(|error| failed(&path, error))?;
    }
    Ok(service)
}

/// The path of the service's group below the root of the hierarchy. Pure.
fn service_of(own: &str) -> Result<&str, &'static str> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let own = own.ok_or("this process is in no control group of version 2")?;
    let service = own.rsplit_once('/').map(|(parent, _)| parent).unwrap_or_default();
    let is_outside = own.split('/').any(|part| part == "..");
    if is_outside || !service.ends_with(".service") {
        return Err("this process is in no group of its own in a systemd service (Delegate=memory, DelegateSubgroup=)");
    }
    Ok(service)
}

/// Whether the service's group must be told to limit the memory of those below it. Pure.
fn must_enable(available: &str, enabled: &str) -> Result<bool, &'static str> {
    let has_memory = |controllers: &str| controllers.split_whitespace().any(|name| name == MEMORY);
    match (has_memory(available), has_memory(enabled)) {
        (_, true) => Ok(false),
        (true, false) => Ok(true),
        (false, false) => Err("the service's control group cannot limit memory (Delegate=memory)"),
    }
}

/// Whether `memory.events` of a group counts a process that was killed. Pure.
fn has_kills(events: &str) -> bool {
    let mut counts = events.lines().filter_map(|line| line.strip_prefix("oom_kill "));
    counts.any(|count| count.trim().parse::<u64>().is_ok_and(|count| count > 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "0::/system.slice/holdfast.service/serve\n";

    /// A hierarchy with a service's group that has these files.
    fn hierarchy(files: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let service = root.path().join("system.slice/holdfast.service");
        std::fs::create_dir_all(&service).unwrap();
        for (file, text) in files {
            std::fs::write(service.join(file), text).unwrap();
        }
        (root, service)
    }

    /// Makes a group with the files that a system with swap makes.
    fn create(folder: &Path) -> io::Result<()> {
        create_without_swap(folder)?;
        std::fs::write(folder.join("memory.swap.max"), "")
    }

    fn create_without_swap(folder: &Path) -> io::Result<()> {
        std::fs::create_dir(folder)?;
        for file in ["cgroup.procs", "memory.max", "memory.oom.group", "memory.events"] {
            std::fs::write(folder.join(file), "")?;
        }
        Ok(())
    }

    fn text(folder: &Path, file: &str) -> String {
        std::fs::read_to_string(folder.join(file)).unwrap()
    }

    #[test]
    fn groups_are_made_only_where_a_service_has_given_this_process_a_group_of_its_own() {
        assert_eq!(service_of(OWN), Ok("system.slice/holdfast.service"));
        assert_eq!(service_of("1:name=systemd:/x\n0::/a.service/b\n"), Ok("a.service"));
        let of_user = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/holdfast.service/serve";
        assert!(service_of(of_user).is_ok_and(|service| service.ends_with("/holdfast.service")));
        for own in [
            "",
            "0::",
            "0::/",
            "4:memory:/holdfast.service/serve\n",
            "0::/system.slice/holdfast.service\n",
            "0::/holdfast.service\n",
            "0::/system.slice/serve\n",
            "0::/system.slice/docker-1.scope/serve\n",
            "0::/user.slice/user-1000.slice/session-2.scope\n",
            "0::/../holdfast.service/serve\n",
            "0::/kubepods/burstable/pod1/2\n",
            "garbage\n\0",
        ] {
            assert!(service_of(own).is_err(), "{own:?}");
        }
    }

    #[test]
    fn the_memory_controller_is_enabled_if_it_is_there_and_is_not() {
        assert_eq!(must_enable("cpu memory pids", ""), Ok(true));
        assert_eq!(must_enable("cpu memory pids\n", "pids memory\n"), Ok(false));
        assert!(must_enable("cpu memory_recursiveprot", "").is_err());
        assert!(must_enable("", "").is_err());

        let files = [("cgroup.controllers", "cpu memory\n"), ("cgroup.subtree_control", "")];
        let (root, service) = hierarchy(&files);
        assert_eq!(prepare(root.path(), OWN), Ok(service.clone()));
        assert_eq!(text(&service, "cgroup.subtree_control"), "+memory");
        let (root, service) = hierarchy(&[files[0], ("cgroup.subtree_control", "memory\n")]);
        assert_eq!(prepare(root.path(), OWN), Ok(service.clone()));
        assert_eq!(text(&service, "cgroup.subtree_control"), "memory\n");
        let (root, _) = hierarchy(&files[..1]);
        assert!(prepare(root.path(), OWN).is_err_and(|why| why.contains("cgroup.subtree_control")));
        let (root, _) = hierarchy(&[]);
        assert!(prepare(root.path(), OWN).is_err_and(|why| why.contains("cgroup.controllers")));
    }

    #[test]
    fn a_process_is_limited_by_a_group_that_is_removed_with_it() {
        let (_root, service) = hierarchy(&[]);
        let groups = MemoryGroups::within(service.clone(), create);
        let group = groups.limit("query", 4711, 1536 << 20).unwrap();
        let folder = service.join("query");
        let set = ["memory.max", "memory.oom.group", "memory.swap.max", "cgroup.procs"].map(|file| text(&folder, file));
        assert_eq!(set, ["1610612736", "1", "0", "4711"]);
        assert!(!group.was_exceeded());
        std::fs::write(folder.join("memory.events"), "low 0\nmax 7\noom 1\noom_kill 3\noom_group_kill 1\n").unwrap();
        assert!(group.was_exceeded());
        // The system removes its files with the folder.
        for file in std::fs::read_dir(&folder).unwrap() {
            std::fs::remove_file(file.unwrap().path()).unwrap();
        }
        drop(group);
        assert!(!folder.exists());
    }

    #[test]
    fn a_group_that_was_left_behind_is_made_anew_and_one_that_is_used_is_not() {
        let (_root, service) = hierarchy(&[]);
        let folder = service.join("sealer");
        std::fs::create_dir(&folder).unwrap();
        assert!(MemoryGroups::within(service.clone(), create_without_swap).limit("sealer", 1, 1).is_some());
        assert_eq!(text(&folder, "memory.max"), "1");
        // Its files stand for its processes.
        assert!(MemoryGroups::within(service.clone(), create).limit("sealer", 2, 2).is_none());
        assert_eq!((text(&folder, "memory.max"), text(&folder, "cgroup.procs")), ("1".to_owned(), "1".to_owned()));
    }

    #[test]
    fn without_a_group_the_memory_is_watched() {
        assert!(MemoryGroups::none().limit("query", 1, 1).is_none());
        // The system makes no files: it is no control group.
        let (_root, service) = hierarchy(&[]);
        let groups = MemoryGroups::within(service.clone(), create_folder);
        assert!(groups.limit("query", 1, 1).is_none());
        assert!(!service.join("query").exists());
        assert!(MemoryGroups::within(service.join("none"), create).limit("query", 1, 1).is_none());
    }

    #[test]
    fn kills_are_counted_by_the_system() {
        assert!(has_kills("oom 1\noom_kill 1\n"));
        for events in ["", "oom 5\noom_kill 0\noom_group_kill 0\n", "oom_kill\n", "oom_kill -1\n", "oom_kill x"] {
            assert!(!has_kills(events), "{events:?}");
        }
    }
}
