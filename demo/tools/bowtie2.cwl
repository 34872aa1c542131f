cwlVersion: v1.2
class: CommandLineTool
label: Align paired reads
doc: Aligns one set of paired reads with Bowtie 2 and marks them with a read group of the set's name.

hints:
  DockerRequirement:
    dockerPull: quay.io/biocontainers/bowtie2:2.5.0--py310h8d7afc0_0
requirements:
  InlineJavascriptRequirement: {}
  ResourceRequirement:
    coresMin: 1
    ramMin: 512

baseCommand: bowtie2
arguments:
  - prefix: -p
    valueFrom: $(runtime.cores)
  - prefix: --rg-id
    valueFrom: $(inputs.name)
  - prefix: --rg
    valueFrom: SM:$(inputs.sample)
stdout: $(inputs.name).sam
stderr: $(inputs.name).bowtie2.log

inputs:
  index:
    type: File
    label: Index made by bowtie2-build
    secondaryFiles:
      - ^^.2.bt2
      - ^^.3.bt2
      - ^^.4.bt2
      - ^^.rev.1.bt2
      - ^^.rev.2.bt2
    inputBinding:
      prefix: -x
      valueFrom: $(self.path.replace(/\.1\.bt2$/, ''))
  forward:
    type: File
    label: First reads of the pairs, FASTQ
    inputBinding:
      prefix: '-1'
  reverse:
    type: File
    label: Second reads of the pairs, FASTQ
    inputBinding:
      prefix: '-2'
  name:
    type: string
    label: Name of this set of reads
  sample:
    type: string
    label: Name of the sample that the reads are from

outputs:
  alignments:
    type: stdout
    label: Alignments in the order of the reads
    format: edam:format_2573
  report:
    type: stderr
    label: How many reads were aligned, as Bowtie 2 tells it

$namespaces:
  edam: http://edamontology.org/
