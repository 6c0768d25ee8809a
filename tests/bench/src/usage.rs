//! What processes have used so far, read from `/proc`.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use crate::error::BenchError;

/// `/proc` counts processor time in hundredths of a second for every program, whatever the kernel's own tick.
const TICK_NS: u64 = 10_000_000;
/// The flag of a kernel thread in `/proc/<pid>/stat`.
const KERNEL_THREAD: u64 = 0x0020_0000;

/// What a set of processes has used since it started.
#[derive(Clone, Copy, Default, Debug)]
pub struct Usage {
    pub cpu_ns: u64,
    /// Bytes sent towards the disk.
    pub written_bytes: u64,
}

impl Usage {
    pub fn of(pids: &[u32]) -> Result<Usage, BenchError> {
        let mut sum = Usage::default();
        for pid in pids {
            sum.cpu_ns += cpu_ns(*pid)?;
            sum.written_bytes += written_bytes(*pid);
        }
        Ok(sum)
    }

    pub fn since(self, earlier: Usage) -> Usage {
        Usage {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            written_bytes: self.written_bytes.saturating_sub(earlier.written_bytes),
        }
    }
}

/// Processor time of a process: its living threads' run time in nanoseconds where the scheduler keeps it, else in ticks.
/// The servers measured here keep their threads; a thread that ended would be missing.
fn cpu_ns(pid: u32) -> Result<u64, BenchError> {
    let tasks = PathBuf::from(format!("/proc/{pid}/task"));
    let entries = fs::read_dir(&tasks).map_err(|_| BenchError::Proc(tasks.clone()))?;
    let mut exact = 0;
    for entry in entries.flatten() {
        exact += first_number(&fs::read_to_string(entry.path().join("schedstat")).unwrap_or_default());
    }
    if exact > 0 {
        return Ok(exact);
    }
    Stat::read(pid).map(|stat| stat.cpu_ticks * TICK_NS).ok_or(BenchError::Proc(tasks))
}

/// Processor time of the calling thread.
pub fn thread_cpu_ns() -> u64 {
    first_number(&fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default())
}

fn written_bytes(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    field(&text, "write_bytes:").unwrap_or(0)
}

/// Resident memory of a process.
pub fn resident_bytes(pid: u32) -> Result<u64, BenchError> {
    let path = PathBuf::from(format!("/proc/{pid}/status"));
    let text = fs::read_to_string(&path).unwrap_or_default();
    field(&text, "VmRSS:").map(|kib| kib * 1024).ok_or(BenchError::Proc(path))
}

fn first_number(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(first_number(rest))
}

/// The parts of `/proc/<pid>/stat` used here.
#[derive(PartialEq, Eq, Debug)]
struct Stat {
    parent: u32,
    kernel_thread: bool,
    cpu_ticks: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Stat> {
        Stat::parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name in parentheses may hold anything, so fields are counted from the last closing one.
    fn parse(text: &str) -> Option<Stat> {
        let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        Some(Stat {
            parent: number(1)? as u32,
            kernel_thread: number(6)? & KERNEL_THREAD != 0,
            cpu_ticks: number(11)? + number(12)?,
        })
    }
}

/// The whole machine's busy time, interrupts and kernel threads included, and the time the hypervisor took.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MachineTime {
    pub busy_ns: u64,
    pub stolen_ns: u64,
}

impl MachineTime {
    pub fn now() -> Result<MachineTime, BenchError> {
        let path = PathBuf::from("/proc/stat");
        let text = fs::read_to_string(&path).unwrap_or_default();
        MachineTime::parse(&text).ok_or(BenchError::Proc(path))
    }

    fn parse(text: &str) -> Option<MachineTime> {
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        let ticks: Vec<u64> = line.split_whitespace().map_while(|n| n.parse().ok()).collect();
        let at = |index: usize| ticks.get(index).copied().unwrap_or(0);
        ticks.get(3)?;
        Some(MachineTime {
            busy_ns: (at(0) + at(1) + at(2) + at(5) + at(6)) * TICK_NS,
            stolen_ns: at(7) * TICK_NS,
        })
    }
}

/// The processor time of every process that is not ours. Kernel threads are left out: while a server runs, they work for it.
pub struct Others {
    ticks: HashMap<u32, u64>,
}

impl Others {
    pub fn now(ours: &[u32]) -> Others {
        let me = std::process::id();
        let mut ticks = HashMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            let Some(stat) = Stat::read(pid) else { continue };
            if pid != me && stat.parent != me && !stat.kernel_thread && !ours.contains(&pid) {
                ticks.insert(pid, stat.cpu_ticks);
            }
        }
        Others { ticks }
    }

    /// What the others used between `earlier` and this; one that started in between counts whole.
    pub fn cpu_ns_since(&self, earlier: &Others) -> u64 {
        let used =
            |(pid, now): (&u32, &u64)| now.saturating_sub(earlier.ticks.get(pid).copied().unwrap_or(0));
        self.ticks.iter().map(used).sum::<u64>() * TICK_NS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let text = "77 (a (b) c) S 5 77 77 0 -1 2097216 1 0 0 0 30 12 0 0 20 0 1 0 621161 3133440 354";
        assert_eq!(Stat::parse(text), Some(Stat { parent: 5, kernel_thread: true, cpu_ticks: 42 }));
        assert_eq!(Stat::parse("77 (cut"), None);
    }

    #[test]
    fn machine_time_counts_interrupts_as_busy_and_waiting_for_disk_as_idle() {
        let text = "cpu  10 1 20 9000 500 3 4 7 0 0\ncpu0 1 1 1 1\n";
        let expected = MachineTime { busy_ns: 38 * TICK_NS, stolen_ns: 7 * TICK_NS };
        assert_eq!(MachineTime::parse(text), Some(expected));
        assert_eq!(MachineTime::parse("intr 5"), None);
    }

    #[test]
    fn this_process_has_memory_and_processor_time() {
        let pid = std::process::id();
        assert!(resident_bytes(pid).unwrap() > 100_000);
        let before = Usage::of(&[pid]).unwrap();
        let mut x = 1u64;
        while Usage::of(&[pid]).unwrap().since(before).cpu_ns == 0 {
            x = std::hint::black_box(x.wrapping_mul(3));
        }
        assert!(thread_cpu_ns() > 0);
    }

    #[test]
    fn other_processes_are_counted_only_for_what_they_used_in_between() {
        let earlier = Others { ticks: HashMap::from([(1, 10), (2, 5)]) };
        let later = Others { ticks: HashMap::from([(1, 13), (3, 2)]) };
        assert_eq!(later.cpu_ns_since(&earlier), 5 * TICK_NS);
    }
}
