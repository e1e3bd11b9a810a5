//! The sizes that Fargate has.

/// A row of the table: CPU units, and the memory that goes with them, in MiB, from least to most in steps.
struct Row {
    cpu: i64,
    least: i64,
    most: i64,
    step: i64,
}

/// AWS Fargate, "Task CPU and memory" (2026): Linux.
const LINUX: [Row; 6] = [
    Row { cpu: 512, least: 1024, most: 4096, step: 1024 },
    Row { cpu: 1024, least: 2048, most: 8192, step: 1024 },
    Row { cpu: 2048, least: 4096, most: 16384, step: 1024 },
    Row { cpu: 4096, least: 8192, most: 30720, step: 1024 },
    Row { cpu: 8192, least: 16384, most: 61440, step: 4096 },
    Row { cpu: 16384, least: 32768, most: 122_880, step: 8192 },
];
/// A quarter of a vCPU goes with these alone.
const QUARTER_VCPU: i64 = 256;
/// In MiB.
const QUARTER_VCPU_MEMORY: [i64; 3] = [512, 1024, 2048];
/// Windows containers have 1, 2 or 4 vCPUs.
const WINDOWS_CPU: [i64; 3] = [1024, 2048, 4096];

/// Whether Fargate has a sandbox of this size.
pub fn exists(cpu: i64, memory: i64, is_windows: bool) -> bool {
    if is_windows && !WINDOWS_CPU.contains(&cpu) {
        return false;
    }
    if cpu == QUARTER_VCPU {
        return QUARTER_VCPU_MEMORY.contains(&memory);
    }
    LINUX
        .iter()
        .any(|row| row.cpu == cpu && (row.least..=row.most).contains(&memory) && (memory - row.least) % row.step == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_that_of_the_documentation() {
        let memories = |cpu| (0..=130_000).filter(|memory| exists(cpu, *memory, false)).collect::<Vec<i64>>();
        let steps = |from: i64, to: i64, step: usize| (from..=to).step_by(step).collect::<Vec<_>>();
        assert_eq!(memories(256), [512, 1024, 2048]);
        assert_eq!(memories(512), steps(1024, 4096, 1024));
        assert_eq!(memories(1024), steps(2048, 8192, 1024));
        assert_eq!(memories(2048), steps(4096, 16384, 1024));
        assert_eq!(memories(4096), steps(8192, 30720, 1024));
        assert_eq!(memories(8192), steps(16384, 61440, 4096));
        assert_eq!(memories(16384), steps(32768, 122_880, 8192));
        assert!(memories(300).is_empty());
    }

    #[test]
    fn windows_needs_a_whole_virtual_cpu_and_has_four_at_most() {
        assert!(exists(1024, 2048, true) && exists(4096, 8192, true));
        assert!(!exists(512, 2048, true) && !exists(8192, 16384, true));
    }
}
