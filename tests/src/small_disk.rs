//! A real file system of a few megabytes: a tmpfs in a mount namespace of its own, which goes when its last process does.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// See the module. Needs the rights to make mount namespaces, as root or through a user namespace.
pub struct SmallDisk {
    holder: Child,
    dir: tempfile::TempDir,
    as_user: bool,
}

impl SmallDisk {
    /// `None` where this machine gives nobody a mount namespace.
    pub fn new(bytes: u64) -> Option<SmallDisk> {
        [false, true].into_iter().find_map(|as_user| SmallDisk::try_new(bytes, as_user))
    }

    fn try_new(bytes: u64, as_user: bool) -> Option<SmallDisk> {
        let dir = tempfile::Builder::new().prefix("atoll-disk-").tempdir().ok()?;
        let mut command = Command::new("unshare");
        if as_user {
            command.arg("--map-root-user");
        }
        let script = format!("mount -t tmpfs -o size={bytes} tmpfs \"$0\" && echo up && exec sleep 86400");
        command.args(["--mount", "sh", "-c", &script]).arg(dir.path());
        let mut holder =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut said = [0; 2];
        let up = holder.stdout.as_mut().is_some_and(|out| out.read_exact(&mut said).is_ok());
        let disk = SmallDisk { holder, dir, as_user };
        (up && &said == b"up").then_some(disk)
    }

    /// The directory, as processes inside see it.
    pub fn inside(&self) -> &Path {
        self.dir.path()
    }

    /// The same directory, as this process sees it.
    pub fn outside(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.dir.path().strip_prefix("/").expect("an absolute path"))
    }

    /// Makes the whole file system read-only, or writable again. Nothing may have a file of it open for writing.
    pub fn set_read_only(&self, read_only: bool) {
        let option = if read_only { "remount,ro" } else { "remount,rw" };
        let wrapper = self.wrapper();
        let mut command = Command::new(&wrapper[0]);
        command.args(&wrapper[1..]).args(["mount", "-o", option]).arg(self.dir.path());
        assert!(command.status().is_ok_and(|status| status.success()), "mount -o {option}");
    }

    /// A command to put before another, which then runs inside.
    pub fn wrapper(&self) -> Vec<String> {
        let pid = self.holder.id().to_string();
        let mut words = vec!["nsenter", "--mount", "--target", &pid];
        if self.as_user {
            words.extend(["--user", "--preserve-credentials"]);
        }
        words.into_iter().map(str::to_owned).collect()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Gone already is as good.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
