cwlVersion: v1.2
class: CommandLineTool
label: Index a FASTA file
doc: >-
  Samtools writes the index beside the sequence, and inputs are read-only: so the sequence is put into the working
  directory first.

hints:
  DockerRequirement:
    dockerPull: quay.io/biocontainers/samtools:1.16.1--h6899075_1
requirements:
  InitialWorkDirRequirement:
    listing:
      - $(inputs.sequence)
  ResourceRequirement:
    coresMin: 1
    ramMin: 256

baseCommand: [samtools, faidx]

inputs:
  sequence:
    type: File
    label: Sequence in FASTA
    inputBinding:
      position: 1
      valueFrom: $(self.basename)

outputs:
  indexed:
    type: File
    label: The sequence with its index
    format: edam:format_1929
    secondaryFiles:
      - .fai
    outputBinding:
      glob: $(inputs.sequence.basename)

$namespaces:
  edam: http://edamontology.org/
