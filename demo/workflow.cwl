#!/usr/bin/env cwl-runner
cwlVersion: v1.2
class: Workflow
label: Variants of a phage
doc: |
  Aligns sets of paired reads to a small genome, merges the alignments, calls the variants of a haploid organism, and
  draws the coverage. Each tool runs in its BioContainers image.

requirements:
  ScatterFeatureRequirement: {}
  StepInputExpressionRequirement: {}

inputs:
  sample:
    type: string
    label: Name of the sample
  genome:
    type: File
    label: Genome in FASTA
  read_sets:
    label: Sets of paired reads, such as the lanes of a sequencer
    type:
      type: array
      items:
        type: record
        fields:
          name:
            type: string
            label: Name of the set
          forward:
            type: File
            label: First reads of the pairs, FASTQ
          reverse:
            type: File
            label: Second reads of the pairs, FASTQ

steps:
  index:
    label: Index the genome for the aligner
    run: tools/bowtie2-build.cwl
    in:
      genome: genome
      name: sample
    out: [index]

  align:
    label: Align each set of reads
    run: tools/bowtie2.cwl
    scatter: read_set
    in:
      read_set: read_sets
      index: index/index
      sample: sample
      name:
        valueFrom: $(inputs.read_set.name)
      forward:
        valueFrom: $(inputs.read_set.forward)
      reverse:
        valueFrom: $(inputs.read_set.reverse)
    out: [alignments, report]

  sort:
    label: Sort each set by position
    run: tools/samtools-sort.cwl
    scatter: alignments
    in:
      alignments: align/alignments
    out: [sorted]

  merge:
    label: Merge the sets
    run: tools/samtools-merge.cwl
    in:
      sorted: sort/sorted
      sample: sample
    out: [merged]

  count:
    label: Count alignments by kind
    run: tools/samtools-flagstat.cwl
    in:
      alignments: merge/merged
    out: [counts]

  depth:
    label: Measure the depth of coverage
    run: tools/samtools-depth.cwl
    in:
      alignments: merge/merged
    out: [depth]

  faidx:
    label: Index the genome for the caller
    run: tools/samtools-faidx.cwl
    in:
      sequence: genome
    out: [indexed]

  call:
    label: Call variants
    run: tools/bcftools-call.cwl
    in:
      genome: faidx/indexed
      alignments: merge/merged
    out: [variants]

  summarize:
    label: Statistics of the variants
    run: tools/bcftools-stats.cwl
    in:
      variants: call/variants
    out: [statistics, count]

  plot:
    label: Plot coverage and variants
    run: tools/plot-coverage.cwl
    in:
      depth: depth/depth
      variants: call/variants
      title: sample
    out: [plot]

outputs:
  alignments:
    type: File
    label: All alignments by position, indexed
    secondaryFiles:
      - .bai
    outputSource: merge/merged
  reports:
    type: File[]
    label: How many reads of each set were aligned
    outputSource: align/report
  counts:
    type: File
    label: Alignments by kind
    outputSource: count/counts
  variants:
    type: File
    label: Variants in VCF
    outputSource: call/variants
  variant_count:
    type: int
    label: Number of variants
    outputSource: summarize/count
  statistics:
    type: File
    label: Statistics of the variants
    outputSource: summarize/statistics
  coverage:
    type: File
    label: Depth of coverage along the genome
    outputSource: plot/plot
