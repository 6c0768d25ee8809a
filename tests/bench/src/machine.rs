//! The cores of this machine and who runs on which.
//!
//! With two or more cores a server has the first and the client the second, so neither can take the other's time.
//! Rows that need two server cores (two reactors, two nodes) pin only where four cores leave the client its own;
//! below that nothing is pinned and the scheduler shares all cores.
//! A child inherits the affinity of the thread that starts it, so nothing is changed in a process that runs already.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::error::BenchError;

/// How many cores the server side of a row is meant to have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Pin {
    One,
    Two,
}

pub struct Machine {
    cores: Vec<usize>,
}

impl Machine {
    pub fn open() -> Result<Machine, BenchError> {
        let allowed = sched_getaffinity(None).map_err(BenchError::Affinity)?;
        let cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
        Ok(Machine { cores })
    }

    pub fn core_count(&self) -> usize {
        self.cores.len()
    }

    /// The cores of the server side.
    pub fn server_cores(&self, pin: Pin) -> &[usize] {
        match pin {
            Pin::One if self.cores.len() >= 2 => &self.cores[..1],
            Pin::Two if self.cores.len() >= 4 => &self.cores[..2],
            _ => &self.cores,
        }
    }

    /// The cores of the client, apart from the server's where there are enough.
    pub fn client_cores(&self, pin: Pin) -> &[usize] {
        match pin {
            Pin::One if self.cores.len() >= 2 => &self.cores[1..2],
            Pin::Two if self.cores.len() >= 4 => &self.cores[2..],
            _ => &self.cores,
        }
    }

    /// Moves the calling thread to the client's cores.
    pub fn enter_client(&self, pin: Pin) -> Result<(), BenchError> {
        sched_setaffinity(None, &set(self.client_cores(pin))).map_err(BenchError::Affinity)
    }

    /// Runs `start` with the server's cores, which the child it starts inherits.
    pub fn as_server<T>(&self, pin: Pin, start: impl FnOnce() -> T) -> Result<T, BenchError> {
        let before = sched_getaffinity(None).map_err(BenchError::Affinity)?;
        sched_setaffinity(None, &set(self.server_cores(pin))).map_err(BenchError::Affinity)?;
        let out = start();
        sched_setaffinity(None, &before).map_err(BenchError::Affinity)?;
        Ok(out)
    }

    /// One line on what this machine is.
    pub fn describe(&self) -> String {
        let field = |path: &str, name: &str| {
            let text = std::fs::read_to_string(path).ok()?;
            let line = text.lines().find(|line| line.starts_with(name))?.to_string();
            Some(line.split_once(':').map_or(line.clone(), |(_, value)| value.trim().to_string()))
        };
        let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".into());
        let kernel = field("/proc/sys/kernel/osrelease", "").unwrap_or_else(|| "unknown".into());
        format!("{} × {model}, Linux {kernel}", self.cores.len())
    }
}

fn set(cores: &[usize]) -> CpuSet {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    set
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(cores: &[usize]) -> Machine {
        Machine { cores: cores.to_vec() }
    }

    #[test]
    fn two_cores_are_split_for_one_server_and_shared_for_two() {
        let two = machine(&[0, 1]);
        assert_eq!((two.server_cores(Pin::One), two.client_cores(Pin::One)), (&[0][..], &[1][..]));
        assert_eq!((two.server_cores(Pin::Two), two.client_cores(Pin::Two)), (&[0, 1][..], &[0, 1][..]));
    }

    #[test]
    fn one_core_is_shared_and_six_are_split() {
        let one = machine(&[3]);
        assert_eq!((one.server_cores(Pin::One), one.client_cores(Pin::One)), (&[3][..], &[3][..]));
        let six = machine(&[0, 1, 2, 3, 4, 5]);
        assert_eq!(
            (six.server_cores(Pin::Two), six.client_cores(Pin::Two)),
            (&[0, 1][..], &[2, 3, 4, 5][..])
        );
    }

    #[test]
    fn a_thread_that_starts_a_server_gets_its_own_cores_back() {
        let machine = Machine::open().unwrap();
        let before = sched_getaffinity(None).unwrap();
        let inside = machine.as_server(Pin::One, || sched_getaffinity(None).unwrap()).unwrap();
        assert_eq!(inside, set(machine.server_cores(Pin::One)));
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
