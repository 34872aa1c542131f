cwlVersion: v1.2
class: CommandLineTool
label: Merge sorted alignments
doc: Merges sorted BAM files into one and writes its index beside it.

hints:
  DockerRequirement:
    dockerPull: quay.io/biocontainers/samtools:1.16.1--h6899075_1
requirements:
  ResourceRequirement:
    coresMin: 1
    ramMin: 512

baseCommand: [samtools, merge, --write-index]
arguments:
  - prefix: -@
    valueFrom: $(runtime.cores)
  # What follows ##idx## is the name of the index; without it samtools would write a .csi.
  - prefix: -o
    valueFrom: $(inputs.sample).bam##idx##$(inputs.sample).bam.bai

inputs:
  sorted:
    type: File[]
    label: Sorted BAM files
    inputBinding:
      position: 1
  sample:
    type: string
    label: Name of the merged file, without its ending

outputs:
  merged:
    type: File
    label: All alignments by position, indexed
    format: edam:format_2572
    secondaryFiles:
      - .bai
    outputBinding:
      glob: $(inputs.sample).bam

$namespaces:
  edam: http://edamontology.org/
