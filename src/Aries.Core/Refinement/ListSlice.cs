using System.Collections;

namespace Aries;

/// <summary>A part of a list, without a copy.</summary>
internal sealed class ListSlice<T>(IReadOnlyList<T> list, int start, int count) : IReadOnlyList<T>
{
    public int Count => count;

    public T this[int index] => (uint)index < (uint)count ? list[start + index] : throw new ArgumentOutOfRangeException(nameof(index));

    public IEnumerator<T> GetEnumerator()
    {
        for (int index = 0; index < count; index++)
        {
            yield return list[start + index];
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
