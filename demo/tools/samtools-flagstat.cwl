cwlVersion: v1.2
class: CommandLineTool
label: Count alignments by kind

hints:
  DockerRequirement:
    dockerPull: quay.io/biocontainers/samtools:1.16.1--h6899075_1
requirements:
  ResourceRequirement:
    coresMin: 1
    ramMin: 256

baseCommand: [samtools, flagstat, --output-fmt, tsv]
stdout: $(inputs.alignments.nameroot).flagstat.tsv

inputs:
  alignments:
    type: File
    label: Alignments in BAM
    inputBinding:
      position: 1

outputs:
  counts:
    type: stdout
    label: Passed, failed, and what was counted
    format: edam:format_3475

$namespaces:
  edam: http://edamontology.org/
