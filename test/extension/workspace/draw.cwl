cwlVersion: v1.2
class: CommandLineTool
hints:
  DockerRequirement: { dockerPull: "busybox:1.36" }
baseCommand: [sh, -c]
arguments:
  - |
    printf 'word\tlength\n' > table.tsv
    awk '{ print $2 "\t" length($2) }' "$@" >> table.tsv
    base64 -d > picture.png <<END
    iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAA8klEQVR42tXPEXdCYQAA0O+d8yAYBINBEARBMBgEg0EQBEEwCIJgEARBEASDwSAIguBBEARBMBgEQRAEQRAMgkEQBEHQ77jn3D9woxCSOARXFGI9kNIDD3ogrQce9cCTHsjogaweyOmBvB4o6IFnPfCiB4p64FUPvOmBkh4o64GKHqjqgZoeeNcDdT3Q0ANNPfChB1p6oK0HOnqgqwd6eqCvBz71wJce+NYDAz0w1AMjPTDWA4kemOiBqR6Y6YG5HljogR898KsHlnpgpQfWemCjB7Z6YKcH9nrgoAf+9MBRD/zrgZMeOOuBix646oGbHbgDqVSGwTaeDvgAAAAASUVORK5CYII=
    END
  - draw
inputs:
  greetings: { type: "File[]", inputBinding: {} }
outputs:
  table: { type: File, outputBinding: { glob: table.tsv } }
  picture: { type: File, outputBinding: { glob: picture.png } }
