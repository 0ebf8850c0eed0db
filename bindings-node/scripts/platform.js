'use strict';

/** This platform as npm and Node name it, with the C library on Linux. */
function platform() {
  const { platform: os, arch: cpu } = process;
  const glibc = os === 'linux' && process.report.getReport().header.glibcVersionRuntime !== undefined;
  const libc = os === 'linux' ? (glibc ? 'glibc' : 'musl') : undefined;
  const suffix = { glibc: '-gnu', musl: '-musl' }[libc] ?? '';
  return { os, cpu, libc, triple: `${os}-${cpu}${suffix}` };
}

const addonFile = () => `loadwise.${platform().triple}.node`;

module.exports = { platform, addonFile };
