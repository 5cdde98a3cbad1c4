namespace Aries;

/// <summary>A file of lines that only grows. A line is whole once its \n is written: what stands behind the last \n after a stop is dropped.</summary>
internal sealed class AppendOnlyFile : IDisposable
{
    private readonly FileStream _stream;
    private readonly DurableFiles _files;

    public AppendOnlyFile(string path, DurableFiles files)
    {
        Path = path;
        _files = files;
        _stream = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 0);
        try
        {
            DropTornLine();
        }
        catch
        {
            _stream.Dispose();
            throw;
        }
    }

    public string Path { get; }

    /// <summary>Returns the lines that are there, without their \n, and where each ends.</summary>
    public List<(ReadOnlyMemory<byte> Line, long End)> ReadLines()
    {
        byte[] content = new byte[checked((int)_stream.Length)];
        _files.Guard("read", Path, () =>
        {
            _stream.Position = 0;
            _stream.ReadExactly(content);
        });
        List<(ReadOnlyMemory<byte>, long)> lines = [];
        for (int start = 0; start < content.Length;)
        {
            int length = content.AsSpan(start).IndexOf((byte)'\n');
            lines.Add((content.AsMemory(start, length), start + length + 1));
            start += length + 1;
        }

        return lines;
    }

    /// <summary>Drops all that stands behind a line's end.</summary>
    public void Truncate(long length) => _files.Guard("truncate", Path, () =>
    {
        if (length < _stream.Length)
        {
            _stream.SetLength(length);
        }
    });

    /// <summary>Appends whole lines, each with its \n. They survive the process once this returns, and a power cut once <see cref="Sync"/> does.</summary>
    public void Append(ReadOnlyMemory<byte> lines) => _files.Guard("append to", Path, () =>
    {
        _stream.Position = _stream.Length;
        _stream.Write(lines.Span);
    });

    public void Sync() => _files.Guard("flush", Path, () => _files.Flush(_stream));

    public void Dispose() => _stream.Dispose();

    private void DropTornLine()
    {
        const int Chunk = 4096;
        byte[] buffer = new byte[Chunk];
        for (long end = _stream.Length; end > 0;)
        {
            int count = (int)Math.Min(Chunk, end);
            _stream.Position = end - count;
            _stream.ReadExactly(buffer, 0, count);
            int last = buffer.AsSpan(0, count).LastIndexOf((byte)'\n');
            if (last >= 0)
            {
                _stream.SetLength(end - count + last + 1);
                return;
            }

            end -= count;
        }

        _stream.SetLength(0);
    }
}
