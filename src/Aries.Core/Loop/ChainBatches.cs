namespace Aries;

/// <summary>The chains of a stage: their names and prompts, the file that keeps them, and the batches that are still to draw.</summary>
/// <remarks>Batches are the same slices of the prompts whether a run was stopped or not, so that an engine whose results depend on the batch gives the same ones.</remarks>
internal sealed class ChainBatches(string path, string idPrefix, IReadOnlyList<Prompt> prompts, int batchSize)
{
    public string Path => path;

    public int Count => prompts.Count;

    /// <summary>Returns how many chains the file holds, after dropping those of a batch that is not whole.</summary>
    /// <exception cref="RunFolderException">The file holds other chains than these.</exception>
    /// <exception cref="JsonlFormatException">A line is not a chain.</exception>
    public int Restore(AppendOnlyFile file)
    {
        List<(ReadOnlyMemory<byte> Line, long End)> lines = file.ReadLines();
        for (int i = 0; i < lines.Count; i++)
        {
            RefinementTrace trace = TraceJsonl.ParseLine(lines[i].Line, path, i + 1);
            if (i >= Count || trace.Id != Id(i))
            {
                throw new RunFolderException(
                    path,
                    $"\"{path}\", line {i + 1}: it holds the chain \"{trace.Id}\" where {(i >= Count ? "the file should end" : $"\"{Id(i)}\" belongs")}. The file was changed; delete it to draw its chains again.");
            }
        }

        int done = lines.Count == Count ? Count : lines.Count / batchSize * batchSize;
        if (done < lines.Count)
        {
            file.Truncate(done == 0 ? 0 : lines[done - 1].End);
        }

        return done;
    }

    /// <summary>Returns the batches after the first chains.</summary>
    public IEnumerable<ChainRequest[]> Remaining(int done)
    {
        for (int start = done; start < Count; start += batchSize)
        {
            yield return [.. Enumerable.Range(start, Math.Min(batchSize, Count - start)).Select(i => new ChainRequest(Id(i), prompts[i]))];
        }
    }

    private string Id(int index) => $"{idPrefix}{index + 1:000000}";
}
