cwlVersion: v1.2
class: CommandLineTool
label: Sort alignments by position

hints:
  DockerRequirement:
    dockerPull: quay.io/biocontainers/samtools:1.16.1--h6899075_1
requirements:
  ResourceRequirement:
    coresMin: 1
    ramMin: 1024

baseCommand: [samtools, sort]
arguments:
  - prefix: -@
    valueFrom: $(runtime.cores)
  - prefix: -T
    valueFrom: $(runtime.tmpdir)/sort
  - prefix: -o
    valueFrom: $(inputs.alignments.nameroot).bam

inputs:
  alignments:
    type: File
    label: Alignments in SAM or BAM
    inputBinding:
      position: 1

outputs:
  sorted:
    type: File
    label: The same alignments by position
    format: edam:format_2572
    outputBinding:
      glob: $(inputs.alignments.nameroot).bam

$namespaces:
  edam: http://edamontology.org/
