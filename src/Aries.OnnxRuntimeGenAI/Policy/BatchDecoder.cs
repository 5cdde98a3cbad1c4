namespace Aries.OnnxRuntimeGenAI;

/// <summary>Decodes several responses together, a token a step.</summary>
/// <remarks>
/// The native library takes the prompts of a batch once and lets no row leave: a row that ended goes on with tokens that nobody reads, and the batch ends with its last row.
/// </remarks>
/// <threadsafety>Not thread-safe.</threadsafety>
internal sealed class BatchDecoder(OgaModel model, OgaAdapter? adapter, IReadOnlyList<int> endTokens, int contextLength, int maxBatchSize)
{
    private readonly TokenSampler _sampler = new();
    private readonly float[] _scratch = new float[model.Folder.VocabularySize];

    // An end token of the native library's own would make it pad the row.
    private readonly int _filler = Enumerable.Range(0, model.Folder.VocabularySize).FirstOrDefault(id => !endTokens.Contains(id));

    /// <summary>Decodes responses, in as many batches as they need.</summary>
    /// <param name="rows">The responses; none has a token yet.</param>
    /// <param name="cancellationToken">Ends the call within a token.</param>
    public void Decode(IEnumerable<DecodedRow> rows, CancellationToken cancellationToken)
    {
        foreach (List<DecodedRow> batch in Batches(rows))
        {
            DecodeTogether(batch, cancellationToken);
        }
    }

    // Rows are padded to the longest prompt, and each must have room for the longest response behind it: prompts of like length go together.
    private List<List<DecodedRow>> Batches(IEnumerable<DecodedRow> rows)
    {
        List<List<DecodedRow>> batches = [];
        int response = 0;
        foreach (DecodedRow row in rows.OrderBy(row => row.Prompt.Length))
        {
            response = Math.Max(response, row.LongestLength - row.Prompt.Length);
            if (batches.Count == 0 || batches[^1].Count == maxBatchSize || row.Prompt.Length + response > contextLength)
            {
                batches.Add([]);
                response = row.LongestLength - row.Prompt.Length;
            }

            batches[^1].Add(row);
        }

        return batches;
    }

    private void DecodeTogether(List<DecodedRow> rows, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int longest = rows.Max(row => row.Prompt.Length) + rows.Max(row => row.LongestLength - row.Prompt.Length);
        using OgaGenerator generator = new(model, adapter, rows.Count, longest);
        using CancellationTokenRegistration registration = cancellationToken.UnsafeRegister(static running => ((OgaGenerator)running!).Terminate(), generator);
        generator.Append(rows.Select(row => row.Prompt));
        int[] tokens = new int[rows.Count];
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!DrawAll(generator, rows, tokens))
            {
                return;
            }

            generator.Choose(tokens);
        }
    }

    /// <returns>Whether a row goes on.</returns>
    private bool DrawAll(OgaGenerator generator, List<DecodedRow> rows, int[] tokens)
    {
        using OgaLogits logits = generator.NextLogits();
        bool goesOn = false;
        for (int index = 0; index < rows.Count; index++)
        {
            DecodedRow row = rows[index];
            if (row.FinishReason is null)
            {
                row.Draw(_sampler, logits.Row(index, _scratch), endTokens);
            }

            goesOn |= row.FinishReason is null;
            tokens[index] = row.FinishReason is null ? row.LastToken : _filler;
        }

        return goesOn;
    }
}
