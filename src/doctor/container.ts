import type { SystemFiles } from './system-files.ts';

/** What container engines leave: Docker, Podman, systemd-nspawn and LXC, Kubernetes. */
export function isInContainer(files: SystemFiles): boolean {
  return (
    files.exists('/.dockerenv') ||
    files.exists('/run/.containerenv') ||
    files.exists('/run/systemd/container') ||
    /docker|kubepods|containerd|lxc/.test(files.text('/proc/1/cgroup') ?? '')
  );
}
