cwlVersion: v1.2
class: CommandLineTool
hints:
  DockerRequirement: { dockerPull: "busybox:1.36" }
baseCommand: [sh, -c, 'cat "$0" "$0.idx" "${0%.txt}.note"; ls "$1"']
inputs:
  text:
    type: File
    secondaryFiles: [.idx, $(self.nameroot).note]
    inputBinding: { position: 1 }
  folder:
    type: Directory
    inputBinding: { position: 2 }
outputs:
  all: stdout
stdout: all.txt
