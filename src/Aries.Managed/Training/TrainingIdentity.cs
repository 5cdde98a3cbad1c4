using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Aries.Preferences;

namespace Aries.Managed;

/// <summary>What a training depends on, by name: a state fits a training when all of it agrees.</summary>
internal static class TrainingIdentity
{
    /// <summary>Hashes tokens, response starts and label probabilities of all rows.</summary>
    public static string OfRows(IReadOnlyList<TrainingRow> rows)
    {
        using IncrementalHash hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Span<byte> numbers = stackalloc byte[16];
        foreach (TrainingRow row in rows)
        {
            BinaryPrimitives.WriteDoubleLittleEndian(numbers, row.ChosenProbability);
            hash.AppendData(numbers[..8]);
            foreach (TrainingSequence sequence in row.Sequences)
            {
                BinaryPrimitives.WriteInt32LittleEndian(numbers, sequence.Tokens.Length);
                BinaryPrimitives.WriteInt32LittleEndian(numbers[4..], sequence.ResponseStart);
                hash.AppendData(numbers[..8]);
                hash.AppendData(MemoryMarshal.AsBytes(sequence.Tokens.AsSpan()));
            }
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Names a loss with its settings: by its own text, and, since a loss of somebody else's may keep them to itself, by what it makes of three pairs.</summary>
    public static string OfLoss(IPreferenceLoss loss)
    {
        const int Count = 3;
        double[] policy = [.. Enumerable.Range(0, PairBatch.SequenceCount * Count).Select(i => -20 - (3.7 * i % 11))];
        double[] reference = [.. Enumerable.Range(0, PairBatch.SequenceCount * Count).Select(i => -21 - (2.9 * i % 7))];
        int[] lengths = [.. Enumerable.Range(0, PairBatch.SequenceCount * Count).Select(i => 5 + (i % 4))];
        double[] losses = new double[Count];
        double[] gradients = new double[PairBatch.SequenceCount * Count];
        loss.Compute(new PairBatch(policy, loss.NeedsReference ? reference : [], lengths), losses, new PairGradients(gradients));
        string values = string.Join(',', losses.Concat(gradients).Select(value => value.ToString("G6", CultureInfo.InvariantCulture)));
        return $"{loss} {Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(values)))[..16]}";
    }

    /// <summary>Lists what differs between two identities.</summary>
    public static List<string> Differences(IReadOnlyDictionary<string, string> saved, IReadOnlyDictionary<string, string> wanted) =>
    [
        .. wanted.Where(entry => saved.GetValueOrDefault(entry.Key) != entry.Value)
            .Select(entry => $"its {entry.Key} is '{saved.GetValueOrDefault(entry.Key) ?? "not recorded"}', asked for is '{entry.Value}'"),
    ];
}
