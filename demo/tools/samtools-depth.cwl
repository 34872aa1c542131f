cwlVersion: v1.2
class: CommandLineTool
label: Depth of coverage at each position

hints:
  DockerRequirement:
    dockerPull: quay.io/biocontainers/samtools:1.16.1--h6899075_1
requirements:
  ResourceRequirement:
    coresMin: 1
    ramMin: 256

# -a: positions that no read covers too.
baseCommand: [samtools, depth, -a]
stdout: $(inputs.alignments.nameroot).depth.tsv

inputs:
  alignments:
    type: File
    label: Sorted alignments in BAM
    inputBinding:
      position: 1

outputs:
  depth:
    type: stdout
    label: Sequence, position and depth
    format: edam:format_3475

$namespaces:
  edam: http://edamontology.org/
